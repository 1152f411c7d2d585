"""Label images, such as those of Cellpose and StarDist: every bead has its own number."""

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from beadctl.annotations.canvas import Labelled, Load
from beadctl.annotations.head import Head
from beadctl.annotations.mask_image import MaskImage, read_mask
from beadctl.errors import AnnotationError
from beadctl.images import IMAGE_SUFFIXES

SUFFIXES = IMAGE_SUFFIXES
# A table over this many labels takes 128 MiB.
LARGEST_LABEL = 2**24


def detects(head: Head) -> bool:
    """Whether a file is an image."""
    return head.kind == "image"


def by_image(head: Head, diameter_px: float | None) -> dict[str, Load]:
    """Return how to read each image's annotation; see `AnnotationReader.by_image`."""
    return {"": partial(_read, head.path)}


def _read(path: Path, shape: tuple[int, int]) -> Labelled:
    return labelled(read_mask(path, shape))


def labelled(mask: MaskImage) -> Labelled:
    """Return the values of an image as labels.

    Labels are kept unless they are so large that tables over them would not fit in memory.

    Parameters
    ----------
    mask : MaskImage
        The image.

    Raises
    ------
    AnnotationError
        If its values are not whole numbers of 32 bits, or colours.
    """
    values = mask.values
    if values.max() > np.iinfo(np.uint32).max or not np.array_equal(values, np.rint(values)):
        raise AnnotationError(f"{mask.path}: holds values that are not whole numbers; labels are 0, 1, 2, 3 ...")
    if mask.is_coloured():
        raise AnnotationError(f"{mask.path}: holds colours; a label image has one channel, with labels 0, 1, 2, 3 ...")
    return Labelled(_renumbered(values.astype(np.uint32)))


def _renumbered(labels: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Renumber labels from 1 in their order if they are too large, as of programs that label by colour."""
    if labels.max() <= max(labels.size, LARGEST_LABEL):
        return labels
    numbers, indices = np.unique(labels, return_inverse=True)
    first = 0 if numbers[0] == 0 else 1
    return (indices + first).reshape(labels.shape).astype(np.uint32)
