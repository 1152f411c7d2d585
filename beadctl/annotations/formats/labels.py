"""Label images, such as those of Cellpose and StarDist: every bead has its own number."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from beadctl.annotations.canvas import Labelled, Load, Remark
from beadctl.annotations.head import Head
from beadctl.errors import AnnotationError, ImageError
from beadctl.images import IMAGE_SUFFIXES, Image, ReadOptions, open_image
from beadctl.images.failure import failures
from beadctl.words import first_names, number_of

SUFFIXES = IMAGE_SUFFIXES
BY_CLASS = "as in a mask by class"
"""Words of the remark on a mask whose labels are classes."""
SHARED = "labels of several separate beads"
"""First words of the remark on labels that several beads have."""
# A table over this many labels takes 128 MiB.
LARGEST_LABEL = 2**24
# Offset of the colour type in the header of a PNG, and its value for a palette (W3C PNG, 11.2.1).
PNG_COLOUR_TYPE, PNG_PALETTE = 25, 3


@dataclass(frozen=True)
class SharingRule:
    """How labels of several beads are told from beads that others cover in part.

    ========  =====  ===========  ==================================================================
    name      value  unit         why
    ========  =====  ===========  ==================================================================
    part      0.25   median area  smaller parts are slivers of covered beads, or strokes of a brush
    covered   0.1    share        of labels whose parts other beads join: they may be covered beads
    by_class  0.5    share        of shared labels from which on labels are classes
    ========  =====  ===========  ==================================================================
    """

    part: float = 0.25
    covered: float = 0.1
    by_class: float = 0.5


RULE = SharingRule()


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
            raise AnnotationError(f"{path}: has {number_of(len(image.planes), 'plane')}; a mask has one")
        indices = palette_indices(path, image)
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
    if mask.is_coloured():
        raise AnnotationError(
            f"{mask.path}: holds colours (RGB); a label image has one channel, with labels 0, 1, 2, 3 ..."
        )
    # Luminance of three equal channels is their number, but for rounding.
    if mask.is_rgb:
        values = np.rint(values)
    if values.dtype.kind == "f" and not np.array_equal(values, np.rint(values)):
        raise AnnotationError(
            f"{mask.path}: holds values that are not whole numbers; labels are 0, 1, 2, 3 ..."
        )
    labels = _renumbered(values)
    return Labelled(labels, _sharing(labels))


def _sharing(labels: NDArray[np.uint32]) -> tuple[Remark, ...]:
    """Return a remark on labels that are not one a bead: classes, or numbers given twice."""
    remedy = "number the beads 1, 2, 3 ... and the background 0"
    own = np.flatnonzero(np.bincount(labels.ravel()))
    if own[0] and len(own) > 1:
        values = first_names([f"{value}" for value in own])
        words = f"mask without 0, of values {values}, {BY_CLASS}"
        return (Remark(words, remedy=f"background counts as a bead; {remedy}"),)
    count = _count_shared(labels, len(own[own > 0]))
    if not count:
        return ()
    kind = f", {BY_CLASS}" if count >= RULE.by_class * len(own[own > 0]) else ""
    return (Remark(f"{SHARED}{kind}", count, remedy=f"each label counts as one bead; {remedy}"),)


def _count_shared(labels: NDArray[np.uint32], number: int) -> int:
    """Count the labels with several parts as large as a bead, of `number` labels."""
    from skimage.measure import label

    parts, count = label(labels, connectivity=2, return_num=True)  # type: ignore[no-untyped-call]
    if count == number:
        return 0
    area_px = np.bincount(parts.ravel())
    _, first = np.unique(parts, return_index=True)
    large = first[area_px[area_px > 0] >= RULE.part * np.median(area_px[1:])]
    large = large[labels.ravel()[large] > 0]
    clumps, _ = ndimage.label(labels > 0, np.ones((3, 3), bool))
    places = labels.ravel()[large], clumps.ravel()[large]
    shared = int((np.unique(places[0], return_counts=True)[1] > 1).sum())
    if shared > RULE.covered * number:
        return shared
    # Other beads join the parts of a covered bead to one clump.
    apart = np.unique(np.column_stack(places), axis=0)[:, 0]
    return int((np.unique(apart, return_counts=True)[1] > 1).sum())


def _renumbered(labels: NDArray[Any]) -> NDArray[np.uint32]:
    """Renumber labels from 1 in their order if they are too large, as of programs that label by colour."""
    if labels.max() <= max(labels.size, LARGEST_LABEL):
        return labels.astype(np.uint32)
    numbers, indices = np.unique(labels, return_inverse=True)
    first = 0 if numbers[0] == 0 else 1
    return (indices + first).reshape(labels.shape).astype(np.uint32)


def _plane(image: Image) -> NDArray[Any]:
    plane = image.planes[0]
    with plane.open() as pixels:
        # Not inverted where zero is white, as tifffile stores an array of bool.
        return plane.conversion.stored(pixels.read_all())


def palette_indices(path: Path, image: Image) -> NDArray[Any] | None:
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
