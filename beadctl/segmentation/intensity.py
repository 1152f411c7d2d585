"""Least, median and largest intensity of beads, and the background around each."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl import scratch
from beadctl.segmentation.runs import Column, Flat, Part, Runs, pixels_of


@dataclass(frozen=True)
class RingLimits:
    """The ring of pixels around a bead in which its background is measured.

    ==========  =====  ========  ==================================================================
    name        value  unit      why
    ==========  =====  ========  ==================================================================
    width_px    5.0    px        least distance that the ring reaches: pixels enough for a median
    share       0.25   diameter  reach around larger beads, whose blurred edge is wider
    batch_px    2**21  px        pixels of beads and rings at a time, to bound memory; a larger bead is read
                                 in strips, and only its values are kept
    ==========  =====  ========  ==================================================================
    """

    width_px: float = 5.0
    share: float = 0.25
    batch_px: int = 2**21


LIMITS = RingLimits()


@dataclass(frozen=True)
class BeadIntensities:
    """Of the beads of a plane, in the image's own units; a float64 column (N,) each.

    Attributes
    ----------
    lowest, median, highest
        Of the bead's pixels; nan where one of them is not finite.
    background
        Median of the pixels that neither belong to a bead nor touch one, not even with a corner, and whose
        centre is at most `RingLimits.width_px`, or a quarter of the bead's diameter if that is more, from the
        centre of a pixel of the bead; nan where there is none.
    """

    lowest: Column
    median: Column
    highest: Column
    background: Column


def bead_intensities(
    labels: NDArray[Any], image: NDArray[Any], runs: Runs, diameter_px: Column
) -> BeadIntensities:
    """Measure the intensities of beads.

    Parameters
    ----------
    labels, image : ndarray, shape (H, W)
        Label image and intensities.
    runs : Runs
        Of the label image.
    diameter_px : ndarray of float64, shape (N,)
        Diameters of the beads in the order of `runs.labels`.
    """
    near = _near(labels)
    reach = np.maximum(LIMITS.width_px, LIMITS.share * diameter_px)
    extent = diameter_px + 2 * reach
    columns = [np.full(diameter_px.size, np.nan) for _ in range(4)]
    for beads, part, owner in _batches(runs, extent, labels.shape):
        radius = reach[part.bead]
        step = LIMITS.batch_px / extent[beads[0]] if beads.size == 1 else labels.shape[0]
        strips = [
            _values(image, near, part, owner, radius, rows)
            for rows in _strips(part, radius, step, labels.shape)
        ]
        own, ring, ring_owner = (np.concatenate(values) for values in zip(*strips, strict=True))
        own_px = np.bincount(owner, part.length, beads.size).astype(np.intp)
        found = _order_statistics(own, own_px)
        found.append(_order_statistics(ring, np.bincount(ring_owner, minlength=beads.size))[1])
        for column, values in zip(columns, found, strict=True):
            column[beads] = values
    return BeadIntensities(*columns)


def _near(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Return the pixels of beads and those that touch one, 8-connected."""
    near = scratch.zeros(labels.shape, bool)
    for rows in scratch.bands(*labels.shape):
        top = max(0, rows.start - 1)
        beads = np.asarray(labels[top : rows.stop + 1]) != 0
        tall = beads.copy()
        tall[1:] |= beads[:-1]
        tall[:-1] |= beads[1:]
        tall = tall[rows.start - top :][: rows.stop - rows.start]
        near[rows] = tall
        near[rows, 1:] |= tall[:, :-1]
        near[rows, :-1] |= tall[:, 1:]
        scratch.release(labels, near)
    return near


def _batches(
    runs: Runs, extent_px: Column, shape: tuple[int, ...]
) -> Iterator[tuple[Flat, Part, NDArray[np.intp]]]:
    """Yield beads, their runs, one bead after the other, and the place among the beads of each run.

    The beads of a batch begin in one band of rows; one of more than `RingLimits.batch_px` is alone.
    """
    tops = np.empty(extent_px.size, runs.row.dtype)
    # The last assignment to an index wins: going backwards leaves the first run.
    tops[runs.bead[::-1]] = runs.row[::-1]
    beads = np.argsort(tops, kind="stable")
    rank = np.empty(beads.size, np.int32)
    rank[beads] = np.arange(beads.size)
    order = np.argsort(rank[runs.bead], kind="stable")
    ends = np.append(0, np.cumsum(np.bincount(runs.bead, minlength=beads.size)[beads]))
    box_px = np.square(extent_px[beads])
    batch = np.cumsum(box_px) // LIMITS.batch_px
    band = np.searchsorted([rows.stop for rows in scratch.bands(*shape)], tops[beads], side="right")
    large = box_px > LIMITS.batch_px
    begins = large | np.append(False, large)[:-1]
    for number in (batch, band):
        begins |= np.diff(number, prepend=-1) != 0
    cuts = [*np.flatnonzero(begins).tolist(), beads.size]
    for start, stop in itertools.pairwise(cuts):
        part = runs.part(order[ends[start] : ends[stop]])
        yield beads[start:stop], part, np.asarray(rank[part.bead] - start, np.intp)


def _strips(part: Part, radius: Column, step: float, shape: tuple[int, ...]) -> Iterator[slice]:
    """Yield the rows within reach of runs, in strips of `step` rows."""
    reach = int(radius.max())
    bottom = min(shape[0], int(part.row.max()) + reach + 1)
    height = max(1, int(step))
    for top in range(max(0, int(part.row.min()) - reach), bottom, height):
        yield slice(top, min(top + height, bottom))


def _values(
    image: NDArray[Any], near: NDArray[np.bool_], part: Part, owner: Flat, radius: Column, rows: slice
) -> tuple[NDArray[Any], NDArray[Any], Flat]:
    """Return what some rows have of beads: their values, those of rings, and the bead of each of these."""
    inside = (part.row >= rows.start) & (part.row < rows.stop)
    start, length = part.row * image.shape[1] + part.first, part.length
    own = _taken(image, pixels_of(start[inside], length[inside]))
    around, ring_owner = _around(part, owner, radius, rows, image.shape)
    free = ~_taken(near, around)
    ring, ring_owner = _taken(image, around[free]), ring_owner[free]
    finite = np.isfinite(ring)
    scratch.release(image, near)
    return own, ring[finite], ring_owner[finite]


def _taken(plane: NDArray[Any], at: Flat) -> NDArray[Any]:
    """Return the flat pixels of a plane, without a copy of one that is not contiguous."""
    if plane.flags.c_contiguous:
        return np.asarray(plane.reshape(-1)[at])
    return np.asarray(plane[np.unravel_index(at, plane.shape)])


def _order_statistics(values: NDArray[Any], counts: Flat) -> list[Column]:
    """Return minimum, median and maximum of groups of values, one after the other; `values` may be sorted.

    They are nan for a group without values, or with one that is not finite.
    """
    end = np.cumsum(counts)
    start = end - counts
    # Vector instructions sort numbers of 32 and 64 bits.
    if values.dtype.itemsize < 4:
        values = values.astype(np.result_type(values.dtype, np.int32))
    # One short sort after the other is faster than one sort of all by group and value.
    for first, last in zip(start.tolist(), end.tolist(), strict=True):
        values[first:last].sort()
    some = counts > 0
    start, end = start[some], end[some]
    lowest, low, high, highest = (
        values[at].astype(np.float64) for at in (start, (start + end - 1) // 2, (start + end) // 2, end - 1)
    )
    # nan is sorted last.
    known = np.isfinite(lowest) & np.isfinite(highest)
    columns = []
    for found in (lowest[known], low[known] / 2 + high[known] / 2, highest[known]):
        column = np.full(counts.size, np.nan)
        column[np.flatnonzero(some)[known]] = found
        columns.append(column)
    return columns


def _around(
    part: Part, owner: Flat, radius: Column, rows: slice, shape: tuple[int, ...]
) -> tuple[Flat, Flat]:
    """Return the pixels of some rows within reach of beads, each once a bead, and their bead, in order."""
    height, width = shape
    # Each run is widened into the rows above and below; the union of a bead's widened runs is its disc-shaped
    # dilation. Beads lie one after the other on a line of whole planes.
    down_px = np.floor(radius).astype(np.intp)
    highest = np.maximum(-down_px, rows.start - part.row)
    steps = np.maximum(np.minimum(down_px, rows.stop - 1 - part.row) - highest + 1, 0)
    run = np.repeat(np.arange(part.row.size), steps)
    if not run.size:
        return run, run
    down = pixels_of(highest, steps)
    across = np.floor(np.sqrt(np.square(radius[run]) - np.square(down))).astype(np.intp)
    line = (owner[run] * height + part.row[run] + down) * width
    start = line + np.maximum(part.first[run] - across, 0)
    end = line + np.minimum(part.last[run] + across, width - 1)
    order = np.argsort(start, kind="stable")
    start, end = start[order], np.maximum.accumulate(end[order])
    apart = np.flatnonzero(np.append(True, start[1:] > end[:-1]))
    start, end = start[apart], end[np.append(apart[1:] - 1, end.size - 1)]
    owner, first = np.divmod(start, height * width)
    length = end - start + 1
    return pixels_of(first, length), np.repeat(owner, length)
