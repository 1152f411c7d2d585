"""Least, median and largest intensity of beads, and the background around each."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.segmentation.runs import Column, Flat, Runs


@dataclass(frozen=True)
class RingLimits:
    """The ring of pixels around a bead in which its background is measured.

    ==========  =====  ========  ==================================================================
    name        value  unit      why
    ==========  =====  ========  ==================================================================
    width_px    5.0    px        least distance that the ring reaches: pixels enough for a median
    share       0.25   diameter  reach around larger beads, whose blurred edge is wider
    batch_px    2**21  px        pixels of beads and rings at a time, to bound memory
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
        Of the bead's pixels; nan where one of them is.
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
    near, values = _near(labels).ravel(), image.ravel()
    reach = np.maximum(LIMITS.width_px, LIMITS.share * diameter_px)
    columns = [np.full(diameter_px.size, np.nan) for _ in range(4)]
    for beads, rows in _batches(runs, diameter_px + 2 * reach):
        bead, start = runs.bead[rows] - beads.start, runs.row[rows] * labels.shape[1] + runs.first[rows]
        length = runs.last[rows] - runs.first[rows] + 1
        count = beads.stop - beads.start
        own = np.bincount(bead, length, count).astype(np.intp)
        found = _order_statistics(values[_pixels(start, length)], own)
        around, owner = _around(runs, rows, reach, beads.start, labels.shape)
        free = ~near[around]
        ring, owner = values[around[free]], owner[free]
        finite = np.isfinite(ring)
        ring, owner = ring[finite], owner[finite]
        found.append(_order_statistics(ring, np.bincount(owner, minlength=count))[1])
        for column, part in zip(columns, found, strict=True):
            column[beads] = part
    return BeadIntensities(*columns)


def _near(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Return the pixels of beads and those that touch one, 8-connected."""
    beads: NDArray[np.bool_] = labels != 0
    tall = beads.copy()
    tall[1:] |= beads[:-1]
    tall[:-1] |= beads[1:]
    near = tall.copy()
    near[:, 1:] |= tall[:, :-1]
    near[:, :-1] |= tall[:, 1:]
    return near


def _batches(runs: Runs, extent_px: Column) -> Iterator[tuple[slice, Flat]]:
    """Yield ranges of beads, and the indices of their runs, one bead after the other."""
    order = np.argsort(runs.bead, kind="stable")
    batch = np.cumsum(np.square(extent_px)) // LIMITS.batch_px
    cuts = [*np.flatnonzero(np.diff(batch, prepend=-1)).tolist(), batch.size]
    at = np.searchsorted(runs.bead[order], cuts)
    for number in range(len(cuts) - 1):
        yield slice(cuts[number], cuts[number + 1]), order[at[number] : at[number + 1]]


def _pixels(start: Flat, length: Flat) -> Flat:
    """Return the flat pixels of runs, one run after the other."""
    end = np.cumsum(length)
    return np.asarray(np.repeat(start - end + length, length) + np.arange(length.sum()))


def _order_statistics(values: NDArray[Any], counts: Flat) -> list[Column]:
    """Return minimum, median and maximum of groups of values, which lie one after the other."""
    values, end = values.copy(), np.cumsum(counts)
    start = end - counts
    # One short sort after the other is faster than one sort of all by group and value.
    for first, last in zip(start.tolist(), end.tolist(), strict=True):
        values[first:last].sort()
    some = counts > 0
    start, end = start[some], end[some]
    lowest, low, high, highest = (
        values[at].astype(np.float64) for at in (start, (start + end - 1) // 2, (start + end) // 2, end - 1)
    )
    # nan is sorted last.
    unknown = np.isnan(highest)
    columns = []
    for found in (lowest, low / 2 + high / 2, highest):
        column = np.full(counts.size, np.nan)
        column[some] = np.where(unknown, np.nan, found)
        columns.append(column)
    return columns


def _around(
    runs: Runs, rows: Flat, reach: Column, first_bead: int, shape: tuple[int, ...]
) -> tuple[Flat, Flat]:
    """Return the pixels within reach of beads, each once a bead, and their bead from 0, in its order."""
    height, width = shape
    # Each run is widened into the rows above and below; the union of a bead's widened runs is its disc-shaped
    # dilation. Beads lie one after the other on a line of whole planes.
    radius = reach[runs.bead[rows]]
    down_px = np.floor(radius).astype(np.intp)
    steps = 2 * down_px + 1
    run = np.repeat(np.arange(rows.size), steps)
    down = _pixels(-down_px, steps)
    across = np.floor(np.sqrt(np.square(radius[run]) - np.square(down))).astype(np.intp)
    row = runs.row[rows][run] + down
    inside = (row >= 0) & (row < height)
    run, across, row = run[inside], across[inside], row[inside]
    line = ((runs.bead[rows][run] - first_bead) * height + row) * width
    start = line + np.maximum(runs.first[rows][run] - across, 0)
    end = line + np.minimum(runs.last[rows][run] + across, width - 1)
    order = np.argsort(start)
    start, end = start[order], np.maximum.accumulate(end[order])
    apart = np.flatnonzero(np.append(True, start[1:] > end[:-1]))
    start, end = start[apart], end[np.append(apart[1:] - 1, end.size - 1)]
    owner, first = np.divmod(start, height * width)
    length = end - start + 1
    return _pixels(first, length), np.repeat(owner, length)
