"""The surround of a field: one value around it, as of a page or of a round aperture, where no bead can be."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from beadctl.segmentation.causes import LIMITS as CAUSES


@dataclass(frozen=True)
class SurroundLimits:
    """Limits of the flag; the least share of the plane is that of `CauseLimits.surround`.

    =======  =====  =====  ============================================================================
    name     value  unit   why
    =======  =====  =====  ============================================================================
    border   0.25   share  of the plane's border: that of a strip along one side
    piece    0.5    share  of what is not of the one value is in one piece; beads on black are many,
    field    0.05   share  of the plane is in it, more than in a bead,
    shape    0.7    share  of its bounding box is in it, as in a rectangle (1) or a disc (0.79),
    alike    0.1    share  of it at most has the one value, unlike a background of few grey levels
    beads    0.8    share  of it at most lies in beads; one bead on black fills its piece
    =======  =====  =====  ============================================================================
    """

    border: float = 0.25
    piece: float = 0.5
    field: float = 0.05
    shape: float = 0.7
    alike: float = 0.1
    beads: float = 0.8


LIMITS = SurroundLimits()


def is_surrounded(
    image: NDArray[Any], labels: NDArray[np.uint32], inside: NDArray[np.bool_] | None = None
) -> bool:
    """Return whether an area in which beads are counted reaches into one value around a field.

    Density, concentration and covered fraction are then too low: they refer to all of the area.

    Parameters
    ----------
    image, labels : ndarray, shape (H, W)
        The plane, of which every n-th pixel is looked at where it is large, and its beads.
    inside : ndarray of bool, shape (H, W), or None
        Where beads are counted; None for the whole plane.

    Examples
    --------
    >>> page = np.full((60, 80), 255, np.uint8)
    >>> page[10:50, 10:70] = np.random.default_rng(1).integers(90, 110, (40, 60))
    >>> none = np.zeros(page.shape, np.uint32)
    >>> is_surrounded(page, none), is_surrounded(page[10:50, 10:70], none[10:50, 10:70])
    (True, False)
    """
    step = math.ceil(max(image.shape) / CAUSES.edge_px)
    image, labels = image[::step, ::step], labels[::step, ::step]
    border = np.concatenate((image[0], image[-1], image[:, 0], image[:, -1]))
    values, counts = np.unique(border[np.isfinite(border)], return_counts=True)
    if counts.max(initial=0) < LIMITS.border * border.size:
        return False
    value = values[counts.argmax()]
    # What has no value, such as a gap of a mosaic, is no field either, and no area in which beads count.
    missing = ~np.isfinite(image)
    alike = (image == value) | missing
    square = np.ones((3, 3), bool)
    outside = ndimage.binary_erosion(alike, square, border_value=1)
    outside_px = outside & ~missing
    counted = outside_px if inside is None else outside_px[inside[::step, ::step]]
    if not counted.size or counted.mean() <= CAUSES.surround:
        return False
    parts, number = ndimage.label(~ndimage.binary_dilation(outside, square))
    if not number:
        return False
    areas = np.bincount(parts.ravel())[1:]
    largest = int(areas.argmax())
    box = ndimage.find_objects(parts)[largest]
    field = parts[box] == largest + 1
    return bool(
        areas[largest] > max(LIMITS.piece * areas.sum(), LIMITS.field * image.size)
        and ndimage.binary_fill_holes(field).mean() > LIMITS.shape
        and alike[box][field].mean() <= LIMITS.alike
        and (labels[box][field] > 0).mean() <= LIMITS.beads
    )
