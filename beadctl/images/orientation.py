"""The orientation in which a plane is segmented: one that the plane itself decides.

The answers of a network and a watershed change slightly when a picture is turned or mirrored. So a plane is
first turned to an orientation that follows from its content alone, and what is found is turned back: the
eight orientations of a picture have the same beads.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.images.normalisation import LIMITS
from beadctl.images.plane import InMemory, Pixels

# Edge of the blocks in which axes are exchanged: both sides of one stay in the processor's cache, px.
BLOCK_PX = 128
# Highest of the whole numbers that stand for the grey levels of other types than uint8 and uint16.
MOST = 4095


@dataclass(frozen=True)
class Orientation:
    """Mirror the rows, mirror the columns, then exchange both axes, as far as each is set."""

    rows: bool = False
    columns: bool = False
    transposed: bool = False

    @classmethod
    def of(cls, plane: NDArray[Any]) -> "Orientation":
        """Return the orientation that puts a plane into its canonical form.

        The canonical form is wide rather than high. The first moments of its grey levels are not negative,
        and that down a square is the smaller one. Where moments tie, the form of the smallest bytes
        is taken.

        Parameters
        ----------
        plane : ndarray of bool, integer or float, shape (H, W)
            All pixels of a plane.

        Examples
        --------
        >>> plane = np.array([[9, 1], [2, 3], [4, 0]])
        >>> for turned in (plane, plane[::-1], plane.T, plane.T[:, ::-1]):
        ...     print(Orientation.of(turned).turned(turned).tolist())
        [[0, 3, 1], [4, 2, 9]]
        [[0, 3, 1], [4, 2, 9]]
        [[0, 3, 1], [4, 2, 9]]
        [[0, 3, 1], [4, 2, 9]]
        """
        down, across = _moments(plane)
        height, width = plane.shape
        high = height - width or abs(down) - abs(across)
        candidates = [
            cls(rows, columns, transposed)
            for rows in _choices(-down)
            for columns in _choices(-across)
            for transposed in _choices(high)
        ]
        if len(candidates) == 1:
            return candidates[0]
        return min(candidates, key=lambda one: np.ascontiguousarray(one.turned(plane)).tobytes())

    def turned(self, plane: NDArray[Any]) -> NDArray[Any]:
        """Return a view of a plane in this orientation."""
        plane = plane[:: -1 if self.rows else 1, :: -1 if self.columns else 1]
        return plane.T if self.transposed else plane

    def back(self, plane: NDArray[Any]) -> NDArray[Any]:
        """Return a view of a plane that is in this orientation, turned back."""
        plane = plane.T if self.transposed else plane
        return plane[:: -1 if self.rows else 1, :: -1 if self.columns else 1]


STORED = Orientation()


def oriented(pixels: Pixels) -> tuple[Orientation, Pixels]:
    """Return the orientation in which an open plane is segmented, and the plane in it.

    A plane of over 16 Mpx stays as it is stored: of a file of strips, columns cannot be read alone.

    Raises
    ------
    ImageError
        If the pixels cannot be decoded.
    """
    if pixels.height * pixels.width > LIMITS.max_exact:
        return STORED, pixels
    plane = pixels.read_all()
    orientation = Orientation.of(plane)
    return orientation, InMemory(in_rows(orientation.turned(plane)))


def in_rows(plane: NDArray[Any]) -> NDArray[Any]:
    """Return a plane whose rows are contiguous: itself, or a copy of a turned one.

    Rows of a plane of exchanged axes are read many times slower.

    Parameters
    ----------
    plane : ndarray, shape (H, W)
        Such as `Orientation` returns.
    """
    if plane.flags.c_contiguous:
        return plane
    height, width = plane.shape
    copy = np.empty((height, width), plane.dtype)
    for top in range(0, height, BLOCK_PX):
        for left in range(0, width, BLOCK_PX):
            block = slice(top, top + BLOCK_PX), slice(left, left + BLOCK_PX)
            # Rows of a width of a power of 2 share places of the cache: the block is first brought together.
            copy[block] = plane[block].copy(order="K")
    return copy


def _choices(preference: int) -> tuple[bool, ...]:
    """Return True for a positive number, False for a negative one, both for 0."""
    return (preference > 0,) if preference else (False, True)


def _moments(plane: NDArray[Any]) -> tuple[int, int]:
    """Return the first moments of the grey levels about the middle, along rows and columns."""
    levels = plane if plane.dtype.kind in "bu" and plane.dtype.itemsize <= 2 else _levels(plane)
    sums = (levels.sum(axis, dtype=np.int64).astype(object) for axis in (1, 0))
    down, across = (int(total @ (2 * np.arange(len(total)) - (len(total) - 1))) for total in sums)
    return down, across


def _levels(plane: NDArray[Any]) -> NDArray[np.uint16]:
    """Return grey levels as whole numbers, whose sums do not depend on their order."""
    finite = np.isfinite(plane)
    known = plane[finite]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    step = (high - low) / MOST
    if not 0 < step < np.inf:
        return np.zeros(plane.shape, np.uint16)
    return np.rint((np.where(finite, plane, low).astype(np.float64) - low) / step).astype(np.uint16)
