"""The basins of a plane's marker map, one for each of its peaks, and the joining of those that are one bead.

A plane is flooded cell by cell (`beadctl.segmentation.flooding`); here the cells become one table of basins.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from beadctl import scratch
from beadctl.segmentation.cells import EDGE_PX, Cell, cells
from beadctl.segmentation.flooding import flooded_cell, in_plane
from beadctl.segmentation.gaps import beside
from beadctl.segmentation.passes import Borders, borders_of
from beadctl.segmentation.size_prior import SizePrior
from beadctl.segmentation.watershed import Flat

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
    ==============  ========  ======  ========================================================================
    """

    diameter_px: float = 10.0
    power: float = 1.5
    range: tuple[float, float] = (0.3, 6.0)
    prior_weight: float = 0.5
    prior_range: tuple[float, float] = (1 / 8, 8.0)


LIMITS = RiseLimits()


@dataclass(frozen=True)
class Basins:
    """The basins of a plane, numbered 1..n in raster order of their peaks; columns have a place 0 for none.

    Attributes
    ----------
    of_number : ndarray of intp
        The basin of each number in the label image that the cells left.
    area_px, light, height : ndarray of int64, float64 and intp, shape (n + 1,)
        Pixels; sum of the probability, 0..255 each; and largest value of the marker map, 0..255.
    first : ndarray of int64, shape (n + 1,)
        Flat index of the first pixel.
    at_edge : ndarray of bool, shape (n + 1,)
        Whether a pixel lies on the edge of the plane, or in or next to a gap.
    moments : ndarray of float64, shape (n + 1, 5)
        Sums over the pixels of row, column, row squared, column squared, and row times column.
    borders : Borders
        Between neighbouring basins, that with the highest pass first.
    """

    of_number: Flat
    area_px: NDArray[np.int64]
    light: NDArray[np.float64]
    height: Flat
    first: NDArray[np.int64]
    at_edge: NDArray[np.bool_]
    moments: NDArray[np.float64]
    borders: Borders

    def joined(self, rise: float, least: int, prior: SizePrior | None = None) -> Flat:
        """Join basins whose peak is low or rises too little; return the new number of each, (n + 1,).

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
        # Only a low peak, or a pass close below the lower of its two peaks, can join them.
        pairs, passes = self.borders.pairs, self.borders.passes
        lower = np.minimum(self.height[pairs[:, 0]], self.height[pairs[:, 1]])
        most = rise * LIMITS.range[1] * (LIMITS.prior_range[1] if prior else 1.0)
        shallow = (lower - passes < most) | (lower < least)
        parent, peak, area = list(range(len(self.height))), self.height.tolist(), self.area_px.tolist()
        # Basins have few areas.
        grown = cache(_grown)
        oddness = cache(lambda area_px: float(prior.oddness(area_px))) if prior else None

        def root(basin: int) -> int:
            while parent[basin] != basin:
                parent[basin] = parent[parent[basin]]
                basin = parent[basin]
            return basin

        for (one, other), height in zip(pairs[shallow].tolist(), passes[shallow].tolist(), strict=True):
            low, high = sorted((root(one), root(other)), key=lambda basin: (peak[basin], -basin))
            if low == high:
                continue
            share = grown(max(area[low], area[high]))
            if oddness:
                share *= _odds(area[low], area[high], oddness)
            needed = rise * share
            if peak[low] - height < needed or peak[low] < least:
                parent[low] = high
                area[high] += area[low]
        found = np.array(parent, np.intp)
        # Each step halves the way to the roots.
        while ((nearer := found[found]) != found).any():
            found = nearer
        return found

    @cached_property
    def component(self) -> Flat:
        """The component of the foreground that each basin belongs to, 1..m, shape (n + 1,); 0 for none."""
        size = len(self.height)
        pairs = self.borders.pairs
        edges = (np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1]))
        _, found = connected_components(coo_array(edges, shape=(size, size)), directed=False)
        component = np.asarray(found, np.intp) + 1
        component[0] = 0
        return component


def basins_of(
    probability: NDArray[np.uint8],
    marker: NDArray[np.uint8] | None,
    level: int,
    least: int,
    gaps: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.uint32], Basins]:
    """Flood a plane; return the number of each pixel's basin in its cell, uint32 (H, W), and the basins.

    Parameters
    ----------
    probability, marker : ndarray of uint8, shape (H, W)
        The maps, 0..255 for 0..1. Without a marker map, basins are the parts of components as the distance
        transform divides them, all of height 255; such a plane is one cell.
    level, least : int
        Least probability of foreground, and least height of a peak, 0..255.
    gaps : ndarray of bool, shape (H, W), optional
        Where the plane has no values; see `beadctl.segmentation.gaps.gaps_of`.
    """
    height, width = probability.shape
    labels = scratch.zeros((height, width), np.uint32)
    edge_px = EDGE_PX if marker is not None else max(height, width, 1)
    numbered, parts = 0, []
    for cell in cells(height, width, edge_px=edge_px):
        found = flooded_cell(probability, marker, cell, level, least)
        number = found.number[cell.inner].astype(np.uint32)
        pixels = np.flatnonzero(number != 0)
        own = number.ravel()[pixels].astype(np.intp)
        number.ravel()[pixels] += numbered
        labels[cell.core.slices] = number
        parts.append(_part(pixels, own, found.key, cell, probability, marker))
        numbered += len(found.key)
        scratch.release(labels, probability, *(() if marker is None else (marker,)))
    return labels, _joined_cells(parts, labels, probability, marker, gaps)


@dataclass(frozen=True)
class _Part:
    """What the pixels of a cell say of its basins, as columns of `Basins`, by their number in the cell."""

    key: NDArray[np.int64]
    area_px: NDArray[np.int64]
    light: NDArray[np.float64]
    height: Flat
    first: NDArray[np.int64]
    at_edge: NDArray[np.bool_]
    moments: NDArray[np.float64]


def _part(
    pixels: Flat,
    own: Flat,
    key: NDArray[np.int64],
    cell: Cell,
    probability: NDArray[np.uint8],
    marker: NDArray[np.uint8] | None,
) -> _Part:
    """Sum up the basins of a cell over its own pixels, flat in its core, by the basin of each."""
    size, core, shape = len(key), cell.core, probability.shape
    height = np.zeros(size, np.uint8)
    if marker is None:
        height[own] = 255
    elif own.size:
        # First within each run of pixels of one basin, which are far fewer.
        starts = np.flatnonzero(np.diff(own, prepend=-1))
        highest = np.maximum.reduceat(marker[core.slices].ravel()[pixels], starts)
        np.maximum.at(height, own[starts], highest)
    first = np.zeros(size, np.intp)
    first[own[::-1]] = pixels[::-1]
    rows, columns = np.divmod(pixels, core.width)
    outer = (rows == -core.top) | (rows == shape[0] - 1 - core.top)
    outer |= (columns == -core.left) | (columns == shape[1] - 1 - core.left)
    at_edge = np.zeros(size, bool)
    at_edge[own[outer]] = True
    row, column = (rows + core.top).astype(np.float64), (columns + core.left).astype(np.float64)
    powers = (row, column, row * row, column * column, row * column)
    return _Part(
        key,
        np.bincount(own, minlength=size),
        np.bincount(own, probability[core.slices].ravel()[pixels], size).astype(np.float64),
        height.astype(np.intp),
        in_plane(first, Cell(core, core), shape),
        at_edge,
        np.stack([np.bincount(own, power, size) for power in powers], axis=1),
    )


def _joined_cells(
    parts: list[_Part],
    labels: NDArray[np.uint32],
    probability: NDArray[np.uint8],
    marker: NDArray[np.uint8] | None,
    gaps: NDArray[np.bool_] | None,
) -> Basins:
    """Make one table of those of the cells: a basin that several saw has one number."""
    area_px = np.concatenate([part.area_px for part in parts])
    used = np.flatnonzero(area_px)
    keys, inverse = np.unique(np.concatenate([part.key for part in parts])[used], return_inverse=True)
    basin, size = inverse + 1, len(keys) + 1
    of_number = np.zeros(area_px.size, np.intp)
    of_number[used] = basin

    def column(name: str) -> NDArray[Any]:
        return np.asarray(np.concatenate([getattr(part, name) for part in parts])[used])

    height, at_edge = np.zeros(size, np.intp), np.zeros(size, bool)
    np.maximum.at(height, basin, column("height"))
    np.logical_or.at(at_edge, basin, column("at_edge"))
    at_edge[of_number[beside(labels, gaps)]] = True
    first = np.full(size, np.iinfo(np.int64).max)
    np.minimum.at(first, basin, column("first"))
    return Basins(
        of_number,
        np.bincount(basin, column("area_px"), size).astype(np.int64),
        np.bincount(basin, column("light"), size).astype(np.float64),
        height,
        first,
        at_edge,
        summed(basin, column("moments"), size),
        borders_of(labels, of_number, size, probability, marker),
    )


def summed(group: Flat, columns: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Return the sums of the rows of each group, (size, k)."""
    return np.stack([np.bincount(group, column, size) for column in columns.T], axis=1)


def _grown(area_px: int) -> float:
    """Return the factor on the rise for the larger of two basins."""
    diameter_px = math.sqrt(4 / math.pi * area_px)
    grown = float((diameter_px / LIMITS.diameter_px) ** LIMITS.power)
    return min(max(grown, LIMITS.range[0]), LIMITS.range[1])


def _odds(one_px: int, other_px: int, oddness: Callable[[int], float]) -> float:
    """Return the factor on the rise by the sizes of two basins, apart and together."""
    apart = (oddness(one_px) + oddness(other_px)) / 2
    odds = math.exp(LIMITS.prior_weight * (apart - oddness(one_px + other_px)))
    return min(max(odds, LIMITS.prior_range[0]), LIMITS.prior_range[1])
