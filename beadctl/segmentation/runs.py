"""The horizontal runs of a label image, over which beads are measured: far fewer than pixels."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl import scratch

Column = NDArray[np.float64]
Flat = NDArray[np.intp]
Small = NDArray[np.int32]

# Runs that are summed at a time.
PART_RUNS = 2**18


@dataclass(frozen=True)
class Part:
    """Some of the runs, in 64 bits for products and places in the plane; ndarrays of intp, shape (K,)."""

    row: Flat
    first: Flat
    last: Flat
    bead: Flat

    @property
    def length(self) -> Flat:
        """Pixels of each run."""
        return self.last - self.first + 1


@dataclass(frozen=True)
class Runs:
    """The horizontal runs of the beads of a plane, in raster order: 16 bytes each.

    Sums are taken within each run, then over the runs of a bead in raster order. No run goes over more than
    one row, so they are equal to the last bit whatever rows are read at a time.

    Attributes
    ----------
    row, first, last, bead : ndarray of int32, shape (K,)
        Row, first and last column, and bead as an index in `labels`.
    labels : ndarray of int64, shape (N,)
        The labels, ascending.
    """

    row: Small
    first: Small
    last: Small
    bead: Small
    labels: NDArray[np.int64]

    @cached_property
    def area_px(self) -> Column:
        """Pixels of each bead."""
        return self.sums(lambda part: [part.length])[0]

    def part(self, which: slice | Flat) -> Part:
        """Return some of the runs."""
        columns = (self.row, self.first, self.last, self.bead)
        return Part(*(column[which].astype(np.intp) for column in columns))

    def sums(self, values: Callable[[Part], Sequence[NDArray[Any]]]) -> list[Column]:
        """Sum one value a run over each bead, in float64, for each of several values."""
        totals: list[Column] = []
        # Without beads there is one empty part, which tells the number of values.
        for start in range(0, max(1, self.bead.size), PART_RUNS):
            part = self.part(slice(start, start + PART_RUNS))
            columns = values(part)
            totals = totals or [np.zeros(self.labels.size) for _ in columns]
            for total, column in zip(totals, columns, strict=True):
                np.add.at(total, part.bead, column.astype(np.float64))
        return totals

    def totals(self, plane: NDArray[Any], of: Callable[[NDArray[Any]], NDArray[Any]] = np.asarray) -> Column:
        """Sum a plane, or what is computed `of` its rows, over each bead."""
        total = np.zeros(self.labels.size)
        for bead, values, edges in self._by_rows(plane):
            np.add.at(total, bead, np.add.reduceat(of(values), edges, dtype=np.float64)[::2])
        return total

    def means(self, plane: NDArray[Any], of: Callable[[NDArray[Any]], NDArray[Any]] = np.asarray) -> Column:
        """Mean of a plane, or of what is computed `of` its rows, over each bead."""
        return np.asarray(self.totals(plane, of) / self.area_px)

    def highest(self, plane: NDArray[np.uint8]) -> Column:
        """Highest value of a plane over each bead."""
        highest = np.zeros(self.labels.size, plane.dtype)
        for bead, values, edges in self._by_rows(plane):
            np.maximum.at(highest, bead, np.maximum.reduceat(values, edges)[::2])
        return highest.astype(np.float64)

    def _by_rows(self, plane: NDArray[Any]) -> Iterator[tuple[Flat, NDArray[Any], Flat]]:
        """Yield bands of a plane: bead of each run, pixels, and places of runs and gaps between in turn."""
        width = plane.shape[1]
        for rows in scratch.bands(*plane.shape):
            ends = np.array((rows.start, rows.stop), self.row.dtype)
            part = self.part(slice(*np.searchsorted(self.row, ends)))
            if not part.row.size:
                continue
            values = np.asarray(plane[rows]).ravel()
            edges = np.empty(2 * part.row.size, np.intp)
            edges[::2] = (part.row - rows.start) * width + part.first
            edges[1::2] = edges[::2] + part.length
            yield part.bead, values, edges[: None if edges[-1] < values.size else -1]
            scratch.release(plane)


def runs_of(labels: NDArray[Any]) -> Runs:
    """Return the runs of a label image, (H, W)."""
    columns: list[list[Small]] = [[], [], []]
    of_run, distinct = [], [np.zeros(0, labels.dtype)]
    for *places, label in _found(labels):
        for column, values in zip(columns, places, strict=True):
            column.append(values.astype(np.int32))
        of_run.append(label)
        distinct.append(np.unique(label))
    every = np.unique(np.concatenate(distinct))
    bead = [np.searchsorted(every, label).astype(np.int32) for label in of_run]
    row, first, last = map(_joined, columns)
    return Runs(row, first, last, _joined(bead), every.astype(np.int64))


def pixels_of(first: Flat, length: Flat) -> Flat:
    """Return the flat pixels of runs, one run after the other, by the first pixel and the length of each.

    Examples
    --------
    >>> pixels_of(np.array([7, 2]), np.array([3, 1])).tolist()
    [7, 8, 9, 2]
    """
    end = np.cumsum(length)
    return np.asarray(np.repeat(first - end + length, length) + np.arange(length.sum()))


def boxes(labels: NDArray[Any], chosen: NDArray[Any]) -> list[tuple[slice, slice]]:
    """Return the rows and columns that some of the labels of a label image lie in.

    Parameters
    ----------
    labels : ndarray of int, shape (H, W)
        Label image.
    chosen : ndarray of int, shape (n,)
        Labels that are in it, ascending.

    Examples
    --------
    >>> boxes(np.array([[0, 7, 7], [3, 0, 7]]), np.array([7]))
    [(slice(0, 2, None), slice(1, 3, None))]
    """
    least, most = np.full((2, len(chosen)), np.iinfo(np.intp).max), np.zeros((2, len(chosen)), np.intp)
    for row, first, last, label in _found(labels):
        known = np.isin(label, chosen)
        at = np.searchsorted(chosen, label[known])
        for low, high, one, other in zip(least, most, (row, first), (row, last), strict=True):
            np.minimum.at(low, at, one[known])
            np.maximum.at(high, at, other[known])
    ranges = zip(*least.tolist(), *most.tolist(), strict=True)
    return [(slice(top, bottom + 1), slice(left, right + 1)) for top, left, bottom, right in ranges]


def _found(labels: NDArray[Any]) -> Iterator[tuple[Flat, Flat, Flat, NDArray[Any]]]:
    """Yield row, first and last column, and label of the runs of a label image, band by band."""
    width = labels.shape[1]
    for rows in scratch.bands(*labels.shape):
        band = np.asarray(labels[rows])
        begins = np.ones(band.shape, dtype=bool)
        np.not_equal(band[:, 1:], band[:, :-1], out=begins[:, 1:])
        starts = np.flatnonzero(begins)
        label = band.ravel()[starts]
        place = np.flatnonzero(label)
        row, first = np.divmod(starts[place], max(1, width))
        length = np.diff(starts, append=band.size)[place]
        yield row + rows.start, first, first + length - 1, label[place]
        scratch.release(labels)


def _joined(parts: list[Small]) -> Small:
    return np.concatenate([np.zeros(0, np.int32), *parts])
