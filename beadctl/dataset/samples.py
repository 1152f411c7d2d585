"""The annotated images that a command is given: pairs of two folders, or tiles of one."""

from collections.abc import Sequence
from pathlib import Path

from beadctl.annotations.pairing import PairingRule, pair
from beadctl.annotations.sample import Sample
from beadctl.console import Messages
from beadctl.dataset import manifest
from beadctl.errors import AnnotationError


def find_samples(
    images: Path,
    masks: Path | None,
    rule: PairingRule,
    messages: Messages,
) -> Sequence[Sample]:
    """Return the pairs of two folders, or the tiles of one.

    Parameters
    ----------
    images, masks : Path, Path or None
        A folder of tiles, as `beadctl tile` writes them, and None; or folders of images and annotations.
    rule : PairingRule
        How annotations are read and paired.
    messages : Messages
        Takes warnings about images and annotations without a partner.

    Raises
    ------
    AnnotationError
        If there is none.
    """
    if masks is None and (images / manifest.MANIFEST).exists():
        if rows := manifest.read_manifest(images):
            return manifest.samples(rows)
        raise AnnotationError(
            f"{images / manifest.MANIFEST}: lists no tile; write it again with: beadctl tile"
        )
    pairing = pair(images, masks or images, **vars(rule))
    pairing.report(messages.warn)
    return pairing.samples
