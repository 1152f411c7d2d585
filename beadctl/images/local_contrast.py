"""Local contrast of a plane: how far a pixel lies from the mean around it, in deviations.

It shows beads beside much brighter objects, on uneven ground and in few numbers as clearly as others, which
percentiles of the whole plane cannot. Mean and deviation are taken on a coarse grid over the whole plane, so
any window has the values of the whole.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from beadctl import scratch

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
# Width of the Gaussian windows, in standard deviations.
TRUNCATE = 3.0


@dataclass(frozen=True, eq=False)
class BlockSums:
    """Sums over the squares of a grid, float64 (h, w): finite pixels, their values, squares of these."""

    count: NDArray[np.float64]
    total: NDArray[np.float64]
    squares: NDArray[np.float64]

    @classmethod
    def joined(cls, bands: Iterable["BlockSums"], height: int, width: int) -> "BlockSums":
        """Return the sums of a plane from those of its bands of rows, each a multiple of the grid high."""
        grid = -(-height // LIMITS.block_px), -(-width // LIMITS.block_px)
        whole = cls(*(scratch.zeros(grid, np.float64) for _ in range(3)))
        row = 0
        for band in bands:
            for name, plane in vars(whole).items():
                part = getattr(band, name)
                plane[row : row + len(part)] = part
                scratch.release(plane)
            row += len(band.count)
        return whole

    @classmethod
    def of(cls, values: Floats) -> "BlockSums":
        """Sum the values of a plane, (H, W); the squares at its right and lower edge may be cut."""
        finite = np.isfinite(values)
        known = np.where(finite, values, 0).astype(np.float64)
        count = _summed(finite.view(np.uint8)).astype(np.float64)
        return cls(count, _summed(known), _summed(np.square(known, out=known)))

    def around(self, sigma_px: float) -> "LocalContrast":
        """Return mean and deviation under a Gaussian window of this standard deviation, px."""
        sigma = sigma_px / LIMITS.block_px
        # Beyond this a window of scipy's filter has no weight.
        reach = int(TRUNCATE * sigma + 0.5)
        mean, deviation = (scratch.zeros(self.count.shape, np.float32) for _ in range(2))
        for rows in scratch.bands(*self.count.shape):
            first = max(0, rows.start - reach)
            count, total, squares = (
                ndimage.gaussian_filter(
                    part[first : rows.stop + reach], sigma, mode="constant", truncate=TRUNCATE
                )[rows.start - first :][: rows.stop - rows.start]
                for part in (self.count, self.total, self.squares)
            )
            count = np.maximum(count, 1e-9)
            middle = total / count
            variance = np.maximum(squares / count - middle * middle, 0.0)
            mean[rows], deviation[rows] = middle, np.sqrt(variance + LIMITS.floor**2)
            scratch.release(self.count, self.total, self.squares, mean, deviation)
        return LocalContrast(mean, deviation)


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
        grid = self.mean.shape
        places = _Places.of(top, values.shape[0], grid[0]), _Places.of(left, values.shape[1], grid[1])
        result = values - _interpolated(self.mean, *places)
        result /= _interpolated(self.deviation, *places)
        np.clip(result, -LIMITS.clip, LIMITS.clip, out=result)
        result[~np.isfinite(values)] = 0
        return result


def _summed(values: NDArray[Any]) -> NDArray[Any]:
    return _rows_summed(_rows_summed(values).T).T


def _rows_summed(values: NDArray[Any]) -> NDArray[Any]:
    """Sum groups of rows from both ends, so that a mirrored plane has the same sums to the last bit."""
    step = LIMITS.block_px
    if missing := -len(values) % step:
        values = np.pad(values, ((0, missing), (0, 0)))
    total: NDArray[Any] = values[0::step] + values[step - 1 :: step]
    for inner in range(1, step // 2):
        total += values[inner::step] + values[step - 1 - inner :: step]
    return total


@dataclass(frozen=True, eq=False)
class _Places:
    """Where the pixels of a line lie between the middles of grid squares.

    `used` are the squares of the line, in order; `first` is the place among them of the one before each
    pixel, and `weight` that of the one after it.
    """

    used: NDArray[np.intp]
    first: NDArray[np.intp]
    weight: Floats

    @classmethod
    def of(cls, start: int, length: int, size: int) -> "_Places":
        """Place the pixels from `start` on a grid of `size` squares, whose last ones continue outwards."""
        at = (np.arange(start, start + length) + 0.5) / LIMITS.block_px - 0.5
        square = np.floor(at).astype(np.intp)
        used = np.clip(np.arange(square[0], square[-1] + 2), 0, size - 1)
        return cls(used, square - square[0], (at - square).astype(np.float32))


def _interpolated(grid: Floats, rows: _Places, columns: _Places) -> Floats:
    corners = grid[rows.used][:, columns.used]
    return _between(np.ascontiguousarray(_between(corners.T, columns).T), rows)


def _between(grid: Floats, places: _Places) -> Floats:
    result: Floats = np.diff(grid, axis=0)[places.first]
    result *= places.weight[:, None]
    result += grid[places.first]
    return result
