"""Watershed of components with several peaks, and joining of basins that a low pass separates.

The components are packed on a small canvas, so the cost follows the crowded pixels and not the plane.
"""

import itertools
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import local_maxima, reconstruction
from skimage.segmentation import watershed

from beadctl.segmentation.size_prior import SizePrior

EIGHT = np.ones((3, 3), dtype=bool)

# Least rise of a peak of the marker map, for beads of `RiseLimits.diameter_px`, where the model has no own.
MARKER_RISE = 0.07


@dataclass(frozen=True)
class RiseLimits:
    """How far a peak rises above the pass to a higher one, to be a bead of its own.

    ==============  ========  ======  ========================================================================
    name            value     unit    why
    ==============  ========  ======  ========================================================================
    diameter_px     10.0      px      beads for which the stated rise of the marker map holds
    power           1.5       --      growth of the rise with the diameter (chosen on simulated scenes): the
                                      map's errors spread over more of a large bead
    range           0.3, 6.0  factor  of that growth
    prior_weight    0.5       --      share of the log-odds of the size prior: the map depends on sizes too
    prior_range     1/8, 8    factor  of the size prior's influence
    distance_px     0.5       px      least rise in a distance transform: ripple of the pixel grid
    distance_share  0.1       share   of the height there: ripple of an uneven outline
    ==============  ========  ======  ========================================================================
    """

    diameter_px: float = 10.0
    power: float = 1.5
    range: tuple[float, float] = (0.3, 6.0)
    prior_weight: float = 0.5
    prior_range: tuple[float, float] = (1 / 8, 8.0)
    distance_px: float = 0.5
    distance_share: float = 0.1


LIMITS = RiseLimits()

Flat = NDArray[np.intp]
Ids = NDArray[np.signedinteger[Any]]


@dataclass(frozen=True)
class Basins:
    """Flooded components on a canvas.

    Attributes
    ----------
    places : ndarray of intp, shape (N,)
        Flat index on the canvas of each pixel.
    number, level : ndarray of int, shape (h, w)
        Basin of each canvas pixel, 0 for none, and marker map there, 0..255.
    pairs, passes : ndarray of intp, shape (M, 2) and (M,)
        Neighbouring basins, and height of the pass between them, highest first.
    """

    places: Flat
    number: Ids
    level: Flat
    pairs: Flat
    passes: Flat

    def joined(self, rise: float, least: int, prior: SizePrior | None = None) -> Flat:
        """Join basins whose peak is low or rises too little; return the new number of each, (basins + 1,).

        The highest pass goes first, so a peak joins the neighbour from which it is least separated. The rise
        scales with the larger of two basins as far as they have grown. A size prior raises it where dividing
        would part beads of typical size, and lowers it where joining would exceed the typical size.

        Parameters
        ----------
        rise, least : float and int
            Least rise of a peak, for beads of 10 px, and its least height, 0..255.
        prior : SizePrior, optional
            Of the beads that stand alone.
        """
        height = self.heights
        # Only a low peak, or a pass close below the lower of its two peaks, can join them.
        lower = np.minimum(height[self.pairs[:, 0]], height[self.pairs[:, 1]])
        most = rise * LIMITS.range[1] * (LIMITS.prior_range[1] if prior else 1.0)
        shallow = (lower - self.passes < most) | (lower < least)
        parent, peak, area = list(range(len(height))), height.tolist(), self.areas_px.tolist()

        def root(basin: int) -> int:
            while parent[basin] != basin:
                parent[basin] = parent[parent[basin]]
                basin = parent[basin]
            return basin

        pairs, passes = self.pairs[shallow].tolist(), self.passes[shallow].tolist()
        for (one, other), saddle in zip(pairs, passes, strict=True):
            low, high = sorted((root(one), root(other)), key=lambda basin: (peak[basin], -basin))
            if low == high:
                continue
            needed = rise * _share(area[low], area[high], prior)
            if peak[low] - saddle < needed or peak[low] < least:
                parent[low] = high
                area[high] += area[low]
        return np.array([root(basin) for basin in parent], dtype=np.intp)

    @cached_property
    def heights(self) -> Flat:
        """Height of the peak of each basin, 0..255, shape (basins + 1,)."""
        height = np.zeros(len(self.areas_px), np.intp)
        np.maximum.at(height, self.of_pixels, self.level.ravel()[self.places])
        return height

    @cached_property
    def areas_px(self) -> Flat:
        """Pixels of each basin, shape (basins + 1,)."""
        return np.bincount(self.of_pixels)

    @cached_property
    def of_pixels(self) -> Flat:
        """The basin of each pixel, shape (N,)."""
        return self.number.ravel()[self.places].astype(np.intp)


def _share(one_px: int, other_px: int, prior: SizePrior | None) -> float:
    """Return the factor on the rise for two basins of these areas."""
    diameter_px = math.sqrt(4 / math.pi * max(one_px, other_px))
    grown = float((diameter_px / LIMITS.diameter_px) ** LIMITS.power)
    share = min(max(grown, LIMITS.range[0]), LIMITS.range[1])
    if prior is None:
        return share
    apart = (prior.oddness(one_px) + prior.oddness(other_px)) / 2
    odds = math.exp(LIMITS.prior_weight * (apart - prior.oddness(one_px + other_px)))
    return share * min(max(odds, LIMITS.prior_range[0]), LIMITS.prior_range[1])


def flooded(pixels: Flat, components: Flat, heights: Flat, peaks: Ids, shape: tuple[int, ...]) -> Basins:
    """Flood components from their peaks, highest first.

    Parameters
    ----------
    pixels, components, heights, peaks : ndarray of int, shape (N,)
        Flat index in the plane, component, marker map 0..255, and number of the peak or 0, of each pixel.
    shape : tuple of int
        Of the plane.
    """
    places, canvas = _packed(pixels, components, shape)

    def painted(values: Ids | bool, dtype: type) -> NDArray[Any]:
        plane: NDArray[Any] = np.zeros(canvas, dtype)
        plane.ravel()[places] = values
        return plane

    level = painted(heights, np.intp)
    number = _watershed(painted(255 - heights, float), painted(peaks, np.int32), painted(True, bool))
    return Basins(places, number, level, *_passes(number, level))


def _passes(basins: Ids, level: Flat) -> tuple[Flat, Flat]:
    """Return pairs of neighbouring basins, (N, 2), and the heights of their passes, (N,), highest first."""
    found = []
    size = int(basins.max()) + 1
    for down, across in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = (slice(0, basins.shape[0] - down), slice(max(0, -across), basins.shape[1] - max(0, across)))
        there = (slice(down, None), slice(max(0, across), basins.shape[1] + min(0, across)))
        one, other = basins[here], basins[there]
        border = np.flatnonzero((one != other) & (one > 0) & (other > 0))
        one, other = one.ravel()[border].astype(np.intp), other.ravel()[border].astype(np.intp)
        height = np.minimum(level[here].ravel()[border], level[there].ravel()[border])
        found.append(((np.minimum(one, other) * size + np.maximum(one, other)) * 256) + height)
    coded = np.unique(np.concatenate(found))
    pair, height = np.divmod(coded, 256)
    last = np.append(pair[1:] != pair[:-1], True)[: len(pair)]
    order = np.argsort(-height[last], kind="stable")
    pair, height = pair[last][order], height[last][order]
    return np.stack(np.divmod(pair, size), axis=1), height


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
    lowered = np.maximum(distance * (1 - LIMITS.distance_share) - LIMITS.distance_px, 0)
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
    flooded = np.where(amid, markers, 0)
    # Shelf by shelf: a short heap stays in the cache.
    for top, bottom in itertools.pairwise(np.flatnonzero(~mask.any(axis=1))):
        rows = slice(top, bottom)
        if bottom - top > 1:
            flooded[rows] += watershed(  # type: ignore[no-untyped-call]
                relief[rows], rim[rows], connectivity=2, mask=open_mask[rows]
            )
    return flooded


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
