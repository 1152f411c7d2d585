"""The borders between neighbouring basins of a plane, and the passes of the marker map on them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl import scratch
from beadctl.segmentation.watershed import Flat

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Borders:
    """What lies between neighbours; columns, one row a pair of them.

    Attributes
    ----------
    pairs : ndarray of intp, shape (M, 2)
        The neighbours, the lower number first.
    passes : ndarray of intp, shape (M,)
        Height of the pass of the marker map between them, 0..255.
    contact : ndarray of float64, shape (M,)
        Number of pairs of neighbouring pixels, one on each side.
    marker, probability : ndarray of float64, shape (M,)
        Sums over these of the lower value of both pixels, 0..255 each.
    """

    pairs: Flat
    passes: Flat
    contact: Floats
    marker: Floats
    probability: Floats

    @classmethod
    def of(cls, code: Flat, size: int, passes: Flat, sums: Floats) -> "Borders":
        """Sum up rows by pair, coded as the lower number times `size` plus the other.

        Parameters
        ----------
        code : ndarray of intp, shape (N,)
            The pair of each row.
        size : int
            Above every number.
        passes : ndarray of intp, shape (N,)
            Of each row; the highest of a pair remains.
        sums : ndarray of float64, shape (N, 3)
            Contact, marker and probability of each row.
        """
        pair, row = np.unique(code, return_inverse=True)
        highest = np.zeros(pair.size, np.intp)
        np.maximum.at(highest, row, passes)
        contact, marker, probability = (
            np.bincount(row, column, pair.size).astype(np.float64) for column in sums.T
        )
        return cls(np.stack(np.divmod(pair, size), axis=1), highest, contact, marker, probability)

    def renamed(self, number: Flat, size: int) -> "Borders":
        """Return the borders of the neighbours by other numbers; those of the same number have none."""
        pairs = number[self.pairs]
        apart = pairs[:, 0] != pairs[:, 1]
        return Borders.of(_code(pairs[apart], size), size, self.passes[apart], self._sums[apart])

    def ordered(self) -> "Borders":
        """Return the borders from the highest pass to the lowest."""
        order = np.argsort(-self.passes, kind="stable")
        return Borders(self.pairs[order], self.passes[order], *self._sums[order].T)

    @property
    def _sums(self) -> Floats:
        return np.stack((self.contact, self.marker, self.probability), axis=1)


def borders_of(
    labels: NDArray[np.uint32],
    of_number: Flat,
    size: int,
    probability: NDArray[np.uint8],
    marker: NDArray[np.uint8] | None,
) -> Borders:
    """Return the borders between basins, from the highest pass to the lowest.

    Parameters
    ----------
    labels : ndarray of uint32, shape (H, W)
        The number of each pixel in its cell.
    of_number : ndarray of intp
        The basin, below `size`, of each such number.
    probability, marker : ndarray of uint8, shape (H, W)
        The maps; without a marker map all passes are 0.
    """
    codes, passes, sums = [np.empty(0, np.intp)], [np.empty(0, np.intp)], [np.empty((0, 3))]
    for rows in scratch.bands(*labels.shape):
        # A band has the first row of the next, to which its last one has neighbours.
        band = slice(rows.start, rows.stop + 1)
        maps = (probability[band], None if marker is None else marker[band])
        for one, other, likely, height in _neighbours(labels[band], rows.stop - rows.start, *maps):
            pairs = of_number[np.stack((one, other), axis=1)]
            apart = pairs[:, 0] != pairs[:, 1]
            values = np.stack((np.ones(likely.size), height, likely), axis=1)[apart]
            found = Borders.of(_code(pairs[apart], size), size, height[apart], values)
            codes.append(_code(found.pairs, size))
            passes.append(found.passes)
            sums.append(found._sums)
        scratch.release(labels, probability, *(() if marker is None else (marker,)))
    return Borders.of(np.concatenate(codes), size, np.concatenate(passes), np.concatenate(sums)).ordered()


def _code(pairs: Flat, size: int) -> Flat:
    return np.asarray(pairs.min(axis=1, initial=size) * size + pairs.max(axis=1, initial=0), np.intp)


def _neighbours(
    labels: NDArray[np.uint32],
    rows: int,
    probability: NDArray[np.uint8],
    marker: NDArray[np.uint8] | None,
) -> Iterator[tuple[Any, Any, Flat, Flat]]:
    """Yield by direction the numbers of pixels of the first rows and of neighbours that differ from them.

    With them the lower probability and marker height of both pixels.
    """
    width = labels.shape[1] + 2

    def flat(plane: NDArray[Any]) -> NDArray[Any]:
        return np.pad(plane, ((0, 1), (1, 1))).ravel()

    number, maps = flat(labels), [flat(plane) for plane in (probability, marker) if plane is not None]
    pixels = np.flatnonzero(number[: rows * width] != 0)
    own = number[pixels]
    for step in (1, width, width + 1, width - 1):
        other = number[pixels + step]
        met = np.flatnonzero((other != own) & (other > 0))
        here = pixels[met]
        lower = [np.minimum(plane[here], plane[here + step]).astype(np.intp) for plane in maps]
        yield own[met], other[met], lower[0], lower[1] if marker is not None else np.zeros(met.size, np.intp)
