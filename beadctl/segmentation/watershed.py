"""Watershed of the components of a window that have several peaks.

The components are packed on a small canvas, so the cost follows the crowded pixels and not the window.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import local_maxima, reconstruction
from skimage.segmentation import watershed

EIGHT = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True)
class RippleLimits:
    """What is no peak of a distance transform.

    =====  =====  =====  ========================================
    name   value  unit   why
    =====  =====  =====  ========================================
    px     0.5    px     ripple of the pixel grid
    share  0.1    share  of the height: ripple of an uneven outline
    =====  =====  =====  ========================================
    """

    px: float = 0.5
    share: float = 0.1


LIMITS = RippleLimits()

Flat = NDArray[np.intp]
Ids = NDArray[np.signedinteger[Any]]


def flooded(pixels: Flat, components: Flat, heights: Flat, peaks: Ids, shape: tuple[int, ...]) -> Ids:
    """Flood components from their peaks, highest first; return the number of the peak of each pixel, (N,).

    Parameters
    ----------
    pixels, components, heights, peaks : ndarray of int, shape (N,)
        Flat index in the window, component, marker map 0..255, and number of the peak or 0, of each pixel.
    shape : tuple of int
        Of the window.
    """
    places, canvas = _packed(pixels, components, shape)

    def painted(values: Ids | bool, dtype: type) -> NDArray[Any]:
        plane: NDArray[Any] = np.zeros(canvas, dtype)
        plane.ravel()[places] = values
        return plane

    number = _watershed(painted(255 - heights, float), painted(peaks, np.int32), painted(True, bool))
    return number.ravel()[places]


def divided_by_distance(pixels: Flat, components: Flat, shape: tuple[int, ...]) -> Ids:
    """Divide components at the necks of their outline; used for models without a marker map.

    The peaks are the h-maxima of the distance transform (Soille, Morphological Image Analysis, 2nd ed.,
    section 6.3.4), with an h that grows with the radius so that large rough beads stay whole. Parameters are
    as for `flooded`; the result is the number of each pixel's part, (N,).
    """
    places, canvas = _packed(pixels, components, shape)
    mask = np.zeros(canvas, dtype=bool)
    mask.ravel()[places] = True
    distance = ndimage.distance_transform_edt(mask)
    lowered = np.maximum(distance * (1 - LIMITS.share) - LIMITS.px, 0)
    without_ripple = reconstruction(lowered, distance)  # type: ignore[no-untyped-call]
    peaks = local_maxima(without_ripple, connectivity=2) & mask  # type: ignore[no-untyped-call]
    markers, _ = ndimage.label(peaks, structure=EIGHT)
    # `_watershed` breaks ties by fractions, so the relief is whole numbers: squared distances are.
    relief = -np.rint(np.square(distance))
    return _watershed(relief, markers, mask).ravel()[places]


def _watershed(relief: NDArray[np.float64], markers: Ids, mask: NDArray[np.bool_]) -> Ids:
    """Watershed of a whole-numbered relief; the result in a component depends on that component alone."""
    # Inner marker pixels flood nothing: leaving them out shortens the heap.
    amid = _amid(markers > 0)
    rim, open_mask = np.where(amid, 0, markers), mask & ~amid
    where = np.flatnonzero(rim)
    # The order in which equal marker pixels leave the watershed's heap depends on what else is in it, such as
    # a bead far away. So each marker pixel is lowered by its own fraction of a step, in raster order.
    relief.ravel()[where] -= 0.5 - 0.5 * np.arange(where.size) / max(1, where.size)
    number = np.where(amid, markers, 0)
    # Shelf by shelf: a short heap stays in the cache.
    for top, bottom in itertools.pairwise(np.flatnonzero(~mask.any(axis=1))):
        rows = slice(top, bottom)
        if bottom - top > 1:
            number[rows] += watershed(  # type: ignore[no-untyped-call]
                relief[rows], rim[rows], connectivity=2, mask=open_mask[rows]
            )
    return number


def _amid(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which pixels have all eight neighbours in the mask."""
    amid = np.zeros_like(mask)
    across = mask[:, 1:-1] & mask[:, :-2] & mask[:, 2:]
    amid[1:-1, 1:-1] = across[1:-1] & across[:-2] & across[2:]
    return amid


def _packed(pixels: Flat, components: Flat, shape: tuple[int, ...]) -> tuple[Flat, tuple[int, int]]:
    """Place components on a canvas; return the flat index there of each pixel, and the canvas's shape."""
    # Bounding boxes stand on shelves, tallest first, one pixel apart and one from the edge. If the canvas
    # were larger than the plane, as with long slanting components, the plane itself is the canvas.
    height, width = shape
    rows, columns = np.divmod(pixels, width)
    present = np.bincount(components) > 0
    groups = (np.cumsum(present) - 1)[components]
    count = int(present.sum())
    top, left = np.full(count, height), np.full(count, width)
    bottom, right = np.zeros(count, dtype=np.intp), np.zeros(count, dtype=np.intp)
    np.minimum.at(top, groups, rows)
    np.maximum.at(bottom, groups, rows)
    np.minimum.at(left, groups, columns)
    np.maximum.at(right, groups, columns)
    tall, wide = bottom - top + 2, right - left + 2
    order = np.argsort(-tall, kind="stable")
    starts = np.cumsum(wide[order]) - wide[order]
    shelf_width = max(int(wide.max()), int(np.sqrt(np.sum(tall * wide))))
    shelf, first = np.unique(starts // shelf_width, return_index=True)
    on_shelf = np.searchsorted(shelf, starts // shelf_width)
    shelf_tall = tall[order][first]
    shelf_top = np.cumsum(shelf_tall) - shelf_tall
    canvas_height = int(shelf_tall.sum()) + 1
    canvas_width = shelf_width + int(wide.max()) + 1
    if canvas_height * canvas_width >= height * width:
        return (rows + 1) * (width + 2) + columns + 1, (height + 2, width + 2)
    down, across = np.empty(count, dtype=np.intp), np.empty(count, dtype=np.intp)
    down[order] = shelf_top[on_shelf] + 1
    across[order] = starts - starts[first][on_shelf] + 1
    shift = (down - top) * canvas_width + across - left
    return rows * canvas_width + columns + shift[groups], (canvas_height, canvas_width)
