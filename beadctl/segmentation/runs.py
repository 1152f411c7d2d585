"""The horizontal runs of a label image, over which beads are measured: far fewer than pixels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]
Flat = NDArray[np.intp]


@dataclass(frozen=True)
class Runs:
    """The horizontal runs of equal label of a plane, in raster order.

    Attributes
    ----------
    starts : ndarray of intp, shape (M,)
        The flat first pixel of each run, background included.
    place, row, first, last, bead : ndarray of intp, shape (K,)
        Of the beads' runs: index in `starts`, row, first and last column, and bead as an index in `labels`.
    labels : ndarray of int64, shape (N,)
        The labels, ascending.
    """

    starts: Flat
    place: Flat
    row: Flat
    first: Flat
    last: Flat
    bead: Flat
    labels: NDArray[np.int64]

    def sums(self, values: NDArray[Any]) -> Column:
        """Sum one value a run over each bead, in float64."""
        return np.bincount(self.bead, weights=values, minlength=self.labels.size).astype(np.float64)

    def totals(self, plane: NDArray[Any]) -> Column:
        """Sum a plane over each bead."""
        return self.sums(np.add.reduceat(plane.ravel(), self.starts, dtype=np.float64)[self.place])

    def means(self, plane: NDArray[Any]) -> Column:
        """Mean of a plane over each bead."""
        return np.asarray(self.totals(plane) / self.sums(self.last - self.first + 1))

    def highest(self, plane: NDArray[np.uint8]) -> Column:
        """Highest value of a plane over each bead."""
        per_run = np.maximum.reduceat(plane.ravel(), self.starts)[self.place]
        highest = np.zeros(self.labels.size, plane.dtype)
        np.maximum.at(highest, self.bead, per_run)
        return highest.astype(np.float64)


def runs_of(labels: NDArray[Any]) -> Runs:
    """Return the runs of a label image, (H, W)."""
    width = labels.shape[1]
    begins = np.ones(labels.shape, dtype=bool)
    np.not_equal(labels[:, 1:], labels[:, :-1], out=begins[:, 1:])
    starts = np.flatnonzero(begins)
    of_run = labels.ravel()[starts]
    place = np.flatnonzero(of_run)
    row, first = np.divmod(starts[place], max(1, width))
    length = np.diff(starts, append=labels.size)[place]
    distinct, bead = np.unique(of_run[place], return_inverse=True)
    return Runs(starts, place, row, first, first + length - 1, bead, distinct.astype(np.int64))
