"""Shrink planes and enlarge maps by whole factors, which keeps blocks seamless.

For any window, each shrunk pixel is the mean of its own square of pixels, each enlarged one a fixed blend.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl import scratch
from beadctl.images import Pixels, Window


@dataclass(frozen=True)
class Shrunk:
    """Pixels of a plane, shrunk by a whole factor; implements `beadctl.images.Pixels`.

    Attributes
    ----------
    pixels : Pixels
        The plane at full resolution.
    factor : int
        Edge of the square of pixels whose mean is one shrunk pixel, px. At the right and lower border of
        the plane, squares are cut to the pixels inside. Pixels of NaN are left out; where a square has no
        other ones, it is NaN.
    """

    pixels: Pixels
    factor: int

    @property
    def height(self) -> int:
        """Rows, px."""
        return -(-self.pixels.height // self.factor)

    @property
    def width(self) -> int:
        """Columns, px."""
        return -(-self.pixels.width // self.factor)

    def read(self, window: Window) -> NDArray[np.float32]:
        """Return a window of the shrunk plane, shape (window.height, window.width), float32."""
        step = self.factor
        top, left = window.top * step, window.left * step
        height = min(window.height * step, self.pixels.height - top)
        width = min(window.width * step, self.pixels.width - left)
        part = self.pixels.read(Window(top, left, height, width))
        down = np.minimum(step, height - step * np.arange(window.height))
        across = np.minimum(step, width - step * np.arange(window.width))
        known_px = down[:, None] * across[None, :]
        values = part.astype(np.float64)
        if (missing := np.isnan(values)).any():
            values[missing] = 0
            known_px = _squares(~missing, step, window)
        # Infinite pixels, and sums of huge ones, are taken for missing.
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(_squares(values, step, window) / known_px, np.float32)

    def read_all(self) -> NDArray[np.float32]:
        """Return the whole shrunk plane."""
        return self.read(Window(0, 0, self.height, self.width))


def _squares(values: NDArray[Any], step: int, window: Window) -> NDArray[np.float64]:
    """Sum the squares of `step` pixels, one for each pixel of a window of the shrunk plane."""
    return _sums(_sums(values, step, window.height).T, step, window.width).T


def _sums(values: NDArray[Any], step: int, groups: int) -> NDArray[np.float64]:
    """Sum groups of `step` rows, in an order independent of the window; the last group may be shorter."""
    total = np.zeros((groups, values.shape[1]))
    for offset in range(step):
        rows = values[offset::step]
        total[: len(rows)] += rows
    return total


def enlarged(plane: NDArray[np.uint8], factor: int, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a map of a shrunk plane enlarged bilinearly to full resolution, uint8 of `shape`.

    Parameters
    ----------
    plane : ndarray of uint8, shape (h, w)
        Map of the shrunk plane.
    factor : int
        Factor by which the plane was shrunk.
    shape : tuple of int
        Height and width at full resolution, px; at most (h * factor, w * factor).
    """
    if factor == 1:
        return plane[: shape[0], : shape[1]]
    result = scratch.zeros(shape, np.uint8)
    above, below, down = _neighbours(shape[0], factor, plane.shape[0])
    before, after, across = _neighbours(shape[1], factor, plane.shape[1])
    whole = (2 * factor) ** 2
    # In bands, because the sums need four times the memory of the result.
    for start in range(0, shape[0], 256):
        rows = slice(start, start + 256)
        weight = down[rows, None]
        blend = plane[above[rows]].astype(np.int32) * (2 * factor - weight) + plane[below[rows]] * weight
        blend = blend[:, before] * (2 * factor - across) + blend[:, after] * across
        result[rows] = (blend + whole // 2) // whole
        scratch.release(plane, result)
    return result


def _neighbours(length: int, factor: int, size: int) -> tuple[NDArray[np.intp], ...]:
    """Return the two neighbours of each enlarged pixel, and the weight of the second out of 2 * factor."""
    # The centre of pixel i is (i + 0.5) / factor - 0.5 in the shrunk grid; times 2 * factor it is whole.
    centre = 2 * np.arange(length) + 1 - factor
    first, weight = np.divmod(centre, 2 * factor)
    return np.clip(first, 0, size - 1), np.clip(first + 1, 0, size - 1), weight
