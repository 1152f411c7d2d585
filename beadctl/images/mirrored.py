"""Pixels without a value, replaced by the mirror image of those beside them, for the network.

At an edge of zeros inside a plane the network misses beads that it cuts; at a mirror it sees them.
"""

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.images.plane import Pixels
from beadctl.images.window import Window

# Farther from the next pixel with a value, pixels stay without one: as far as a bead of usual size reaches.
REACH_PX = 16
# Edge of the squares that are filled at once: most of a plane has all values, or none near.
BLOCK_PX = 128


@dataclass(frozen=True)
class Mirrored:
    """An open plane whose pixels of NaN and infinity are filled from beside them; implements `Pixels`.

    A pixel without a value gets that which lies as far beyond the next pixel with one, in the same row or
    column; the mean of those of several directions in which the next one is as near. The result of a window
    is that of the whole plane.

    Attributes
    ----------
    pixels : Pixels
        The plane as it is.
    """

    pixels: Pixels

    @property
    def height(self) -> int:
        """Rows, px."""
        return self.pixels.height

    @property
    def width(self) -> int:
        """Columns, px."""
        return self.pixels.width

    def read(self, window: Window) -> NDArray[Any]:
        """Return a window, shape (height, width), in the plane's dtype."""
        values = self.pixels.read(window)
        if values.dtype.kind != "f" or np.isfinite(values).all():
            return values
        around = self._around(window)
        values, wide = values.copy(), self.pixels.read(around)
        down, across = window.top - around.top, window.left - around.left
        for top in range(0, window.height, BLOCK_PX):
            for left in range(0, window.width, BLOCK_PX):
                block = values[top : top + BLOCK_PX, left : left + BLOCK_PX]
                if np.isfinite(block).all():
                    continue
                rows, y = _with_margin(top + down, block.shape[0])
                columns, x = _with_margin(left + across, block.shape[1])
                part = wide[rows, columns]
                if np.isfinite(part).any():
                    block[:] = _filled(part)[y, x]
        return values

    def read_all(self) -> NDArray[Any]:
        """Return the whole plane."""
        return self.read(Window(0, 0, self.height, self.width))

    def _around(self, window: Window) -> Window:
        """Return a window with all pixels from which those in it may be filled."""
        top, left = max(0, window.top - 2 * REACH_PX), max(0, window.left - 2 * REACH_PX)
        bottom = min(self.height, window.bottom + 2 * REACH_PX)
        right = min(self.width, window.right + 2 * REACH_PX)
        return Window(top, left, bottom - top, right - left)


def _with_margin(start: int, length: int) -> tuple[slice, slice]:
    """Return a block of a line with what it may be filled from, and where the block lies in that."""
    first = max(0, start - 2 * REACH_PX)
    return slice(first, start + length + 2 * REACH_PX), slice(start - first, start - first + length)


def _filled(values: NDArray[Any]) -> NDArray[Any]:
    """Return a part of a plane with its missing pixels filled."""
    known = np.isfinite(values)
    nearest = np.full(values.shape, REACH_PX, np.int32)
    total, number = np.zeros(values.shape), np.zeros(values.shape, np.int32)
    for turn, flip in product((np.asarray, np.transpose), (slice(None), slice(None, None, -1))):
        # Each direction in turn as that from the first row to the last.
        pixels, has, least, summed, count = (turn(a)[flip] for a in (values, known, nearest, total, number))
        row = np.arange(len(pixels), dtype=np.int32)[:, None]
        edge = np.maximum.accumulate(np.where(has, row, -1), axis=0)
        distance = np.where(has | (edge < 0), REACH_PX + 1, row - edge)
        edge = np.maximum(edge, 0)
        beyond = np.where(edge + 1 < distance, edge, edge + 1 - distance)
        mirror = np.where(np.take_along_axis(has, beyond, axis=0), beyond, edge)
        found = np.take_along_axis(pixels, mirror, axis=0)
        nearer, alike = distance < least, distance == least
        summed[nearer], count[nearer], least[nearer] = found[nearer], 1, distance[nearer]
        summed[alike] += found[alike]
        count[alike] += 1
    filled = values.copy()
    holes = number > 0
    filled[holes] = total[holes] / number[holes]
    return filled
