"""Label images, such as those of Cellpose and StarDist: every bead has its own number."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.annotations.canvas import Labelled, Load
from beadctl.annotations.head import Head
from beadctl.errors import AnnotationError, ImageError
from beadctl.images import IMAGE_SUFFIXES, Image, ReadOptions, open_image
from beadctl.images.failure import failures

SUFFIXES = IMAGE_SUFFIXES
# A table over this many labels takes 128 MiB.
LARGEST_LABEL = 2**24
# Offset of the colour type in the header of a PNG, and its value for a palette (W3C PNG, 11.2.1).
PNG_COLOUR_TYPE, PNG_PALETTE = 25, 3


def detects(head: Head) -> bool:
    """Whether a file is an image."""
    return head.kind == "image"


def by_image(head: Head, diameter_px: float | None) -> dict[str, Load]:
    """Return how to read each image's annotation; see `AnnotationReader.by_image`."""
    return {"": partial(_read, head.path)}


def _read(path: Path, shape: tuple[int, int]) -> Labelled:
    return labelled(read_mask(path, shape))


@dataclass(frozen=True)
class MaskImage:
    """An image file that holds a mask.

    Attributes
    ----------
    path : Path
        The file.
    values : ndarray, shape (H, W)
        Finite and at least 0. Indices of a palette with colours, such as an ImageJ lookup table; luminance
        of RGB; otherwise as stored.
    is_rgb : bool
        Whether the values are luminance.
    """

    path: Path
    values: NDArray[Any]
    is_rgb: bool

    def is_coloured(self) -> bool:
        """Whether it is RGB, and its three channels are not equal."""
        if not self.is_rgb:
            return False
        first, *others = (_plane(open_image(self.path, ReadOptions(channel=channel))) for channel in range(3))
        return not all(np.array_equal(first, other) for other in others)


def read_mask(path: Path, shape: tuple[int, int]) -> MaskImage:
    """Read a mask from an image file of one plane, whose height and width must be `shape`, px.

    Raises
    ------
    AnnotationError
        If the file cannot be read, has several planes, another shape, or negative or non-finite values.
    """
    try:
        image = open_image(path)
        if len(image.planes) != 1:
            raise AnnotationError(f"{path}: has {len(image.planes)} planes; a mask has one")
        indices = _palette_indices(path, image)
        values = _plane(image) if indices is None else indices
    except ImageError as error:
        raise AnnotationError(str(error)) from None
    if values.shape != shape:
        size, wanted = "x".join(map(str, values.shape)), "x".join(map(str, shape))
        raise AnnotationError(f"{path}: is {size} px, its image {wanted}; give the mask of this image")
    if not np.isfinite(values).all() or values.min() < 0:
        raise AnnotationError(f"{path}: holds negative or non-finite values; labels are 0, 1, 2, 3 ...")
    return MaskImage(path, values, indices is None and image.conversion.endswith("luminance of RGB"))


def labelled(mask: MaskImage) -> Labelled:
    """Return the values of a mask as labels; an `AnnotationError` if they are fractions or colours."""
    values = mask.values
    if values.max() > np.iinfo(np.uint32).max or not np.array_equal(values, np.rint(values)):
        raise AnnotationError(
            f"{mask.path}: holds values that are not whole numbers; labels are 0, 1, 2, 3 ..."
        )
    if mask.is_coloured():
        raise AnnotationError(
            f"{mask.path}: holds colours; a label image has one channel, with labels 0, 1, 2, 3 ..."
        )
    return Labelled(_renumbered(values.astype(np.uint32)))


def _renumbered(labels: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Renumber labels from 1 in their order if they are too large, as of programs that label by colour."""
    if labels.max() <= max(labels.size, LARGEST_LABEL):
        return labels
    numbers, indices = np.unique(labels, return_inverse=True)
    first = 0 if numbers[0] == 0 else 1
    return (indices + first).reshape(labels.shape).astype(np.uint32)


def _plane(image: Image) -> NDArray[Any]:
    with image.planes[0].open() as pixels:
        return pixels.read_all()


def _palette_indices(path: Path, image: Image) -> NDArray[Any] | None:
    """Return the indices of a palette that is a display; other grey palettes store brightness.

    Displays are palettes with colours, and the inverting lookup table of ImageJ.
    """
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
    is_grey = (used == used[:, :1]).all()
    scale = max(1, int(colours.max(initial=0)) // 255)
    is_inverting = np.array_equal(colours[:, 0] // scale, np.arange(255, -1, -1))
    return None if is_grey and not is_inverting else indices
