"""The annotated images to audit."""

from collections.abc import Callable
from pathlib import Path

from beadctl.annotations import AnnotationFormat
from beadctl.annotations.pairing import pair
from beadctl.annotations.sample import Sample
from beadctl.dataset import manifest


def find_samples(
    images: Path,
    masks: Path | None,
    annotations: AnnotationFormat,
    centre_diameter_px: float | None,
    warn: Callable[[str], None],
) -> list[Sample]:
    """Return the pairs of two folders, or the tiles of one.

    Parameters
    ----------
    images : Path
        Folder of images, or of tiles as `beadctl tile` writes them.
    masks : Path or None
        Folder of annotations, or a file for all images; None for tiles.
    annotations : AnnotationFormat
        Format of the annotations.
    centre_diameter_px : float or None
        Diameter of the beads, px, where only centres are annotated.
    warn : callable
        Called with messages about images and annotations without a partner.
    """
    if masks is None and (images / manifest.MANIFEST).exists():
        return manifest.samples(manifest.read_manifest(images))
    pairing = pair(images, masks or images, form=annotations, diameter_px=centre_diameter_px)
    pairing.report(warn)
    return list(pairing.samples)
