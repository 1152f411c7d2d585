"""Local contrast of a plane: how far a pixel lies from the mean around it, in deviations.

It shows beads beside much brighter objects, on uneven ground and in few numbers as clearly as others, which
percentiles of the whole plane cannot. Mean and deviation are taken on a coarse grid over the whole plane, so
any window has the values of the whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class ContrastLimits:
    """Constants of the local contrast.

    ============  =====  ======  ======================================================================
    name          value  unit    why
    ============  =====  ======  ======================================================================
    block_px      4      px      edge of the squares whose sums are kept: 1/16 of the pixels
    floor         0.02   scales  added to the deviation in quadrature: flat ground does not become noise
    clip          5      --      a hot pixel must not dominate
    ============  =====  ======  ======================================================================
    """

    block_px: int = 4
    floor: float = 0.02
    clip: float = 5.0


LIMITS = ContrastLimits()


@dataclass(frozen=True, eq=False)
class BlockSums:
    """Sums over the squares of a grid, float64 (h, w): finite pixels, their values, squares of these."""

    count: NDArray[np.float64]
    total: NDArray[np.float64]
    squares: NDArray[np.float64]

    @classmethod
    def joined(cls, bands: Sequence["BlockSums"]) -> "BlockSums":
        """Return the sums of a plane from those of its bands of rows, each a multiple of the grid high."""
        return cls(*(np.concatenate([getattr(band, name) for band in bands]) for name in vars(bands[0])))

    @classmethod
    def of(cls, values: Floats) -> "BlockSums":
        """Sum the values of a plane, (H, W); the squares at its right and lower edge may be cut."""
        finite = np.isfinite(values)
        known = np.where(finite, values, 0).astype(np.float64)
        return cls(*(_summed(part) for part in (finite.astype(np.float64), known, known * known)))

    def around(self, sigma_px: float) -> "LocalContrast":
        """Return mean and deviation under a Gaussian window of this standard deviation, px."""
        count, total, squares = (
            ndimage.gaussian_filter(part, sigma_px / LIMITS.block_px, mode="constant", truncate=3.0)
            for part in (self.count, self.total, self.squares)
        )
        count = np.maximum(count, 1e-9)
        mean = total / count
        variance = np.maximum(squares / count - mean * mean, 0.0)
        return LocalContrast(mean.astype(np.float32), np.sqrt(variance + LIMITS.floor**2).astype(np.float32))


@dataclass(frozen=True, eq=False)
class LocalContrast:
    """Mean and deviation around the squares of a grid, float32 (h, w)."""

    mean: Floats
    deviation: Floats

    def apply(self, values: Floats, top: int = 0, left: int = 0) -> Floats:
        """Return by how many deviations the values of a window differ from the mean around them, clipped.

        Parameters
        ----------
        values : ndarray of float32, shape (h, w)
            Scaled values of the window; 0 is returned for NaN and infinity.
        top, left : int
            Its origin in the plane, px.
        """
        rows = _places(top, values.shape[0], self.mean.shape[0])
        columns = _places(left, values.shape[1], self.mean.shape[1])
        result = values - _interpolated(self.mean, rows, columns)
        result /= _interpolated(self.deviation, rows, columns)
        np.clip(result, -LIMITS.clip, LIMITS.clip, out=result)
        return np.where(np.isfinite(values), result, np.float32(0))


def _summed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    step = LIMITS.block_px
    height, width = values.shape
    padded = np.pad(values, ((0, -height % step), (0, -width % step)))
    squares = padded.reshape(padded.shape[0] // step, step, padded.shape[1] // step, step)
    return np.asarray(squares.sum(axis=(1, 3)))


_Places = tuple[NDArray[np.intp], NDArray[np.intp], Floats]


def _places(start: int, length: int, size: int) -> _Places:
    """Return the grid squares whose middles enclose each pixel of a line, and the weight of the second."""
    pixel = np.arange(start, start + length, dtype=np.float64)
    at = (pixel + 0.5) / LIMITS.block_px - 0.5
    first = np.floor(at)
    place = first.astype(np.intp)
    return np.clip(place, 0, size - 1), np.clip(place + 1, 0, size - 1), (at - first).astype(np.float32)


def _interpolated(grid: Floats, rows: _Places, columns: _Places) -> Floats:
    above, below, down = rows
    before, after, across = columns
    lines = grid[above] + (grid[below] - grid[above]) * down[:, None]
    left = lines[:, before]
    return np.asarray(left + (lines[:, after] - left) * across, np.float32)
