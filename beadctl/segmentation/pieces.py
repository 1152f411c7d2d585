"""The connected pieces of a mask, by its horizontal runs: of the maps of beads, far fewer than pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from beadctl.segmentation.runs import Flat, pixels_of


@dataclass(frozen=True, eq=False)
class Pieces:
    """The runs of a mask in raster order, and the piece that each belongs to.

    Attributes
    ----------
    first, length : ndarray of intp, shape (K,)
        Flat index of the first pixel of each run, and number of its pixels.
    piece : ndarray of intp, shape (K,)
        1..count, in raster order of the first pixels of the pieces.
    count : int
        Number of pieces.
    """

    first: Flat
    length: Flat
    piece: Flat
    count: int

    @property
    def pixels(self) -> Flat:
        """Flat indices of the pixels of the mask, ascending."""
        return pixels_of(self.first, self.length)

    @property
    def of_pixels(self) -> Flat:
        """The piece of each of the pixels."""
        return np.repeat(self.piece, self.length)

    def only(self, chosen: NDArray[np.bool_]) -> "Pieces":
        """Return some of the runs, bool (K,); the numbers of the pieces stay."""
        return Pieces(self.first[chosen], self.length[chosen], self.piece[chosen], self.count)


def pieces_of(mask: NDArray[np.bool_], *, diagonal: bool) -> Pieces:
    """Return the pieces of a mask.

    Parameters
    ----------
    mask : ndarray of bool, shape (H, W)
        What is connected.
    diagonal : bool
        Whether pixels that share a corner are connected, and not only those that share an edge.

    Examples
    --------
    >>> mask = np.array([[1, 0, 1], [0, 1, 0]], bool)
    >>> [pieces_of(mask, diagonal=diagonal).count for diagonal in (True, False)]
    [1, 3]
    """
    height, width = mask.shape
    # Between columns that are not in the mask no run goes on in the next row.
    padded = np.zeros((height, width + 2), bool)
    padded[:, 1:-1] = mask
    line, step = padded.ravel(), width + 2
    edges = np.flatnonzero(line[1:] != line[:-1])
    first, last = edges[::2] + 1, edges[1::2]
    # The runs below one are neighbours in the order of all runs.
    reach = int(diagonal)
    lowest = np.searchsorted(last, first + (step - reach))
    below = np.searchsorted(first, last + (step + reach), side="right") - lowest
    starts = np.append(0, np.cumsum(below))
    touch = csr_array(
        (np.ones(starts[-1], bool), pixels_of(lowest, below), starts), shape=(first.size, first.size)
    )
    count, piece = connected_components(touch, directed=False) if first.size else (0, first)
    row = first // step
    return Pieces(first - 2 * row - 1, last - first + 1, np.asarray(piece, np.intp) + 1, int(count))
