"""StarDist's results: ImageJ regions, or label images."""

from beadctl.annotations.canvas import Load
from beadctl.annotations.formats import imagej, labels
from beadctl.annotations.head import Head

SUFFIXES = (*labels.SUFFIXES, ".zip")


def detects(head: Head) -> bool:
    """Return False: the file is detected as ImageJ regions or as a label image."""
    return False


def by_image(head: Head, diameter_px: float | None) -> dict[str, Load]:
    """Return how to read each image's annotation; see `AnnotationReader.by_image`."""
    if imagej.detects(head):
        return imagej.by_image(head, diameter_px)
    return labels.by_image(head, diameter_px)
