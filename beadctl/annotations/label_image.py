"""Label images, such as those of Cellpose and StarDist: every bead its own number."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.annotations.binary_mask import is_binary, parts
from beadctl.annotations.canvas import Labelled
from beadctl.errors import AnnotationError, ImageError
from beadctl.images import Image, ReadOptions, open_image
from beadctl.images.failure import failures

# Where the colour type stands in the header of a PNG, and its value for a palette (W3C PNG, 11.2.1).
PNG_COLOUR_TYPE, PNG_PALETTE = 25, 3
# A table over so many numbers takes 128 MiB.
LARGEST = 2**24


def read(path: Path, shape: tuple[int, int], *, binary: bool | None = None) -> Labelled:
    """Read an image file as a label image.

    A label image keeps its labels, of 8, 16 or 32 bits, but for numbers beyond all sense; of a palette with
    colours, such as that of an ImageJ lookup table, the indices are the labels. A binary mask is cut into its
    parts.

    Parameters
    ----------
    path : Path
        A single-plane image file.
    shape : tuple of int
        Height and width that it must have.
    binary : bool, optional
        Take it as a binary mask, or not; by default its values tell (see `binary_mask.is_binary`).

    Raises
    ------
    AnnotationError
        If the file cannot be read, has several planes, another shape, or values that are no labels.
    """
    try:
        image = open_image(path)
        if len(image.planes) != 1:
            raise AnnotationError(f"{path}: has {len(image.planes)} planes; a mask has one")
        indices = _palette_indices(path, image)
        values = _brightness(image) if indices is None else indices
    except ImageError as error:
        raise AnnotationError(str(error)) from None
    if values.shape != shape:
        size, wanted = "x".join(map(str, values.shape)), "x".join(map(str, shape))
        raise AnnotationError(f"{path}: is {size} px, its image {wanted}; give the mask of this image")
    if not np.isfinite(values).all() or values.min() < 0:
        raise AnnotationError(f"{path}: holds negative or broken numbers; a label image counts 1, 2, 3 ...")
    if binary or (binary is None and is_binary(values)):
        return parts(values)
    if values.max() > np.iinfo(np.uint32).max or not np.array_equal(values, np.rint(values)):
        raise AnnotationError(f"{path}: holds broken numbers; a label image counts 1, 2, 3 ...")
    if indices is None and image.conversion.endswith("luminance of RGB") and not _is_grey(path):
        raise AnnotationError(f"{path}: holds colours; a label image counts 1, 2, 3 ... in one channel")
    return Labelled(_counted(values.astype(np.uint32)))


def _counted(labels: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return beads numbered from 1 in the order of their numbers, where those are beyond all sense.

    Some programs number by colour or by frame, up to four thousand millions; tables over all numbers would
    then not fit in memory.
    """
    if labels.max() <= max(labels.size, LARGEST):
        return labels
    numbers, places = np.unique(labels, return_inverse=True)
    first = 0 if numbers[0] == 0 else 1
    return (places + first).reshape(labels.shape).astype(np.uint32)


def _brightness(image: Image) -> NDArray[Any]:
    with image.planes[0].open() as pixels:
        return pixels.read_all()


def _is_grey(path: Path) -> bool:
    """Whether the three channels of an RGB file are one."""
    channels = [_brightness(open_image(path, ReadOptions(channel=channel))) for channel in range(3)]
    return all(np.array_equal(channels[0], other) for other in channels[1:])


def _palette_indices(path: Path, image: Image) -> NDArray[Any] | None:
    """Return the indices where a palette gives them colours; a grey palette is a way to store brightness."""
    with failures(path):
        with path.open("rb") as file:
            head = file.read(PNG_COLOUR_TYPE + 1)
        if head.startswith(b"\x89PNG") and head[PNG_COLOUR_TYPE] == PNG_PALETTE:
            from PIL.PngImagePlugin import PngImageFile

            with PngImageFile(path) as opened:
                colours = np.array(opened.getpalette("RGB") or (), np.uint8).reshape(-1, 3)
                indices = np.asarray(opened)
        elif image.conversion.endswith("luminance of the palette"):
            import tifffile

            with tifffile.TiffFile(path) as tiff:
                colours = np.asarray(tiff.pages.first.colormap).T
                indices = np.squeeze(tiff.asarray())
        else:
            return None
    used = colours[np.unique(indices[indices < len(colours)])]
    return None if (used == used[:, :1]).all() else indices
