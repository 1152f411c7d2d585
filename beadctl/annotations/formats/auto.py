"""Format detected by the content of a file; an image with the values of a binary mask is one."""

from functools import partial
from pathlib import Path

from beadctl.annotations.canvas import Labelled, Load
from beadctl.annotations.formats import AnnotationFormat, binary, labels
from beadctl.annotations.head import Head, detect
from beadctl.images import IMAGE_SUFFIXES

# In order of preference where an image has several annotations. NumPy files are refused, with a remedy.
OTHER_SUFFIXES = (".zip", ".roi", ".geojson", ".json", ".txt", ".csv", ".tsv", ".npy")
SUFFIXES = (*IMAGE_SUFFIXES, *OTHER_SUFFIXES)


def detects(head: Head) -> bool:
    """Return False: no file is of this format."""
    return False


def by_image(head: Head, diameter_px: float | None) -> dict[str, Load]:
    """Return how to read each image's annotation; see `AnnotationReader.by_image`."""
    form = detect(head)
    if form is AnnotationFormat.LABELS:
        return {"": partial(_read, head.path)}
    return form.reader().by_image(head, diameter_px)


def _read(path: Path, shape: tuple[int, int]) -> Labelled:
    mask = labels.read_mask(path, shape)
    return binary.parts(mask.values) if binary.is_binary(mask.values) else labels.labelled(mask)
