"""One affine normalisation for training and inference, from the whole plane and never from a tile."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.images.plane import Pixels
from beadctl.images.window import Window

LIMIT = 3.0
"""Values are clipped to this many scales, so that a hot pixel or dust cannot dominate."""

LOW, MIDDLE, HIGH = 0.1, 50.0, 99.9
"""Percentiles: nearly the extremes, but blind to one pixel in a thousand."""

MAX_EXACT_PX = 16 * 2**20
"""Largest plane that is measured to the last pixel."""

BAND_ROWS = 64
MIN_BANDS = 16
COUNTED_PX = 2**18


@dataclass(frozen=True)
class Normalisation:
    """An offset and a scale that put the background at 0 and the strongest contrast at 1.

    It is centred on the median because the background is what most pixels of a bead image show:
    background sits at 0 whatever the exposure, and a bead darker than it and a bead brighter than
    it by as much become mirror images, so that one network serves bright-field and fluorescence.

    Attributes
    ----------
    offset : float
        Median of the plane, in its own units.
    scale : float
        Larger of p99.9 - p50 and p50 - p0.1, in the same units.
    """

    offset: float
    scale: float

    def apply(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """Normalise an array of any shape.

        Parameters
        ----------
        pixels : ndarray
            Bool, integer or float, of the plane that was measured.

        Returns
        -------
        ndarray of float32
            ``(pixels - offset) / scale`` clipped to -3 ... 3. NaN and infinity become 0, and so
            does everything when the plane has no contrast (scale not positive or not finite).
        """
        if not (np.isfinite(self.scale) and np.isfinite(self.offset) and self.scale > 0):
            return np.zeros(pixels.shape, np.float32)
        # float32 holds 16 bits exactly; a wider number must lose its offset before its last digits.
        exact: type[np.floating[Any]] = np.float32 if pixels.dtype.itemsize <= 2 else np.float64
        values = pixels.astype(exact)
        values -= exact(self.offset)
        values /= exact(self.scale)
        np.clip(values, -LIMIT, LIMIT, out=values)
        if pixels.dtype.kind == "f":
            values[~np.isfinite(pixels)] = 0
        return values.astype(np.float32, copy=False)


def measure_normalisation(pixels: Pixels) -> Normalisation:
    """Measure a plane.

    Planes up to 16 Mpx are measured exactly. Larger ones are measured on bands of whole rows,
    spread evenly from the first row to the last, about 16 Mpx in all: the choice follows from the
    plane's size alone, so that it is the same for every tile size, and touches few tiles.

    Parameters
    ----------
    pixels : Pixels
        An open plane.

    Returns
    -------
    Normalisation
        Scale 0 for a plane of one value or without a finite one.

    Raises
    ------
    ImageError
        If the pixels cannot be decoded.
    """
    if pixels.height * pixels.width <= MAX_EXACT_PX:
        return normalisation_of(pixels.read_all())
    bands = (pixels.read(window) for window in sample_bands(pixels.height, pixels.width))
    return _from_parts(list(bands))


def normalisation_of(array: NDArray[Any]) -> Normalisation:
    """Measure a plane that is in memory, exactly.

    Parameters
    ----------
    array : ndarray
        Bool, integer or float, any shape.
    """
    return _from_parts([array])


def sample_bands(height: int, width: int, budget: int = MAX_EXACT_PX) -> list[Window]:
    """Return bands of whole rows, evenly spread over a plane, of about `budget` pixels in all.

    Parameters
    ----------
    height, width : int
        Size of the plane, px.
    budget : int
        Pixels to sample.
    """
    rows = max(1, min(BAND_ROWS, budget // (width * MIN_BANDS), height))
    count = min(max(2, budget // (width * rows)), height // rows)
    tops = np.linspace(0, height - rows, count).astype(int)
    return [Window(int(top), 0, rows, width) for top in tops]


def _from_parts(parts: list[NDArray[Any]]) -> Normalisation:
    low, middle, high = _percentiles(parts)
    return Normalisation(middle, max(high - middle, middle - low))


def _percentiles(parts: list[NDArray[Any]]) -> tuple[float, float, float]:
    """Return the three percentiles, interpolated linearly as `numpy.percentile` does."""
    first = parts[0]
    if first.dtype.kind in "bui" and first.dtype.itemsize <= 2:
        return _from_histogram(parts)
    values = np.concatenate([_finite(part) for part in parts])
    if not values.size:
        return 0.0, 0.0, 0.0
    ranks = [_rank(values.size, q) for q in (LOW, MIDDLE, HIGH)]
    ordered = np.partition(values, sorted({k for rank in ranks for k in rank[:2]}))
    low, middle, high = (_between(float(ordered[a]), float(ordered[b]), t) for a, b, t in ranks)
    return low, middle, high


def _from_histogram(parts: list[NDArray[Any]]) -> tuple[float, float, float]:
    # Counting is several times faster than sorting, and adds up over bands in little memory.
    dtype = parts[0].dtype
    lowest = 0 if dtype.kind in "bu" else int(np.iinfo(dtype).min)
    bins = 256 if dtype.itemsize == 1 else 65536
    counts = np.zeros(bins, np.int64)
    for part in parts:
        values = part.ravel()
        for start in range(0, values.size, COUNTED_PX):
            # bincount widens what it counts to 64 bits: by pieces that stays within the cache.
            piece = values[start : start + COUNTED_PX].astype(np.intp)
            counts += np.bincount(piece - lowest if lowest else piece, minlength=bins)
    below = np.cumsum(counts)
    total = int(below[-1])
    if not total:
        return 0.0, 0.0, 0.0

    def at(rank: int) -> float:
        return float(np.searchsorted(below, rank, side="right")) + lowest

    low, middle, high = (
        _between(at(a), at(b), t) for a, b, t in (_rank(total, q) for q in (LOW, MIDDLE, HIGH))
    )
    return low, middle, high


def _finite(part: NDArray[Any]) -> NDArray[Any]:
    values = part.ravel()
    return values[np.isfinite(values)] if values.dtype.kind == "f" else values


def _rank(count: int, percentile: float) -> tuple[int, int, float]:
    position = (count - 1) * percentile / 100
    below = int(position)
    return below, min(below + 1, count - 1), position - below


def _between(low: float, high: float, fraction: float) -> float:
    return low + (high - low) * fraction
