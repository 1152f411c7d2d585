"""The annotated images that a command is given: pairs of two folders, or tiles of one."""

from collections.abc import Sequence
from pathlib import Path

from beadctl.annotations import AnnotationFormat
from beadctl.annotations.pairing import pair
from beadctl.annotations.sample import Sample
from beadctl.console import Messages
from beadctl.dataset import manifest


def find_samples(
    images: Path,
    masks: Path | None,
    form: AnnotationFormat,
    diameter_px: float | None,
    pattern: str | None,
    messages: Messages,
) -> Sequence[Sample]:
    """Return the pairs of two folders, or the tiles of one.

    Parameters
    ----------
    images, masks : Path, Path or None
        A folder of tiles, as `beadctl tile` writes them, and None; or folders of images and annotations.
    form, diameter_px, pattern : AnnotationFormat, float or None, str or None
        As for `beadctl.annotations.pairing.pair`.
    messages : Messages
        Takes warnings about images and annotations without a partner.
    """
    if masks is None and (images / manifest.MANIFEST).exists():
        return manifest.samples(manifest.read_manifest(images))
    pairing = pair(images, masks or images, form=form, diameter_px=diameter_px, pattern=pattern)
    pairing.report(messages.warn)
    return pairing.samples
