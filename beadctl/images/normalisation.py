"""Normalisation of a plane, the same for training and inference; measured on the whole plane."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.images.plane import Pixels
from beadctl.images.window import Window

_COUNTED_PX = 2**18


@dataclass(frozen=True)
class NormalisationLimits:
    """Constants of the normalisation.

    ===========  ============  ====== ===================================================================
    name         value         unit   why
    ===========  ============  ====== ===================================================================
    clip         3             scales a hot pixel or dust must not dominate
    percentiles  0.1 50 99.9   %      nearly the extremes, yet insensitive to one pixel in a thousand
    max_exact    16 * 2**20    px     largest plane of which every pixel is measured
    band_rows    64            rows   most rows of a band of a larger plane: a band touches few tiles
    min_bands    16            bands  fewest bands of a larger plane: they cover it from end to end
    ===========  ============  ====== ===================================================================
    """

    clip: float = 3.0
    percentiles: tuple[float, float, float] = (0.1, 50.0, 99.9)
    max_exact: int = 16 * 2**20
    band_rows: int = 64
    min_bands: int = 16


LIMITS = NormalisationLimits()


@dataclass(frozen=True)
class Normalisation:
    """Offset and scale that put the background at 0 and the strongest contrast at 1.

    The offset is the median because most pixels of a bead image are background. Beads that are brighter
    and darker than the background by the same amount become mirror images, so that one network serves
    bright-field and fluorescence.

    Attributes
    ----------
    offset : float
        Median of the plane, grey levels.
    scale : float
        Larger of p99.9 - p50 and p50 - p0.1, grey levels.
    """

    offset: float
    scale: float

    def apply(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """Normalise an array.

        Parameters
        ----------
        pixels : ndarray of bool, integer or float, any shape
            Pixels of the plane that was measured.

        Returns
        -------
        ndarray of float32
            ``(pixels - offset) / scale``, clipped to -3..3. 0 for NaN and infinity, and everywhere if the
            plane has no contrast (the scale is not positive or not finite).
        """
        if not (np.isfinite(self.scale) and np.isfinite(self.offset) and self.scale > 0):
            return np.zeros(pixels.shape, np.float32)
        # float32 holds 16 bits exactly; of wider numbers the offset must be subtracted before rounding.
        exact: type[np.floating[Any]] = np.float32 if pixels.dtype.itemsize <= 2 else np.float64
        values = pixels.astype(exact)
        values -= exact(self.offset)
        values /= exact(self.scale)
        np.clip(values, -LIMITS.clip, LIMITS.clip, out=values)
        if pixels.dtype.kind == "f":
            values[~np.isfinite(pixels)] = 0
        return values.astype(np.float32, copy=False)


def measure_normalisation(pixels: Pixels, *, max_exact: int = LIMITS.max_exact) -> Normalisation:
    """Measure the normalisation of a plane.

    A plane of at most `max_exact` pixels is measured exactly, a larger one by `sample_bands`, which depend
    on the size of the plane alone.

    Parameters
    ----------
    pixels : Pixels
        An open plane.
    max_exact : int
        Largest number of pixels to read, px.

    Returns
    -------
    Normalisation
        Scale 0 for a plane of a single value or without finite values.

    Raises
    ------
    ImageError
        If the pixels cannot be decoded.
    """
    if pixels.height * pixels.width <= max_exact:
        return normalisation_of(pixels.read_all())
    bands = sample_bands(pixels.height, pixels.width, max_exact)
    return _from_parts([pixels.read(window) for window in bands])


def normalisation_of(array: NDArray[Any]) -> Normalisation:
    """Measure the normalisation of all pixels of an array.

    Parameters
    ----------
    array : ndarray of bool, integer or float, any shape
        Pixels.

    Returns
    -------
    Normalisation
        Scale 0 for an array of a single value or without finite values.
    """
    return _from_parts([array])


def sample_bands(height: int, width: int, budget: int = LIMITS.max_exact) -> list[Window]:
    """Return bands of whole rows of equal height, spread evenly from the first row of a plane to the last.

    Parameters
    ----------
    height, width : int
        Size of the plane, px.
    budget : int
        Approximate number of pixels of all bands.
    """
    rows = max(1, min(LIMITS.band_rows, budget // (width * LIMITS.min_bands), height))
    count = min(max(2, budget // (width * rows)), height // rows)
    tops = np.linspace(0, height - rows, count).astype(int)
    return [Window(int(top), 0, rows, width) for top in tops]


def _from_parts(parts: list[NDArray[Any]]) -> Normalisation:
    low, middle, high = _percentiles(parts)
    return Normalisation(middle, max(high - middle, middle - low))


def _percentiles(parts: list[NDArray[Any]]) -> tuple[float, float, float]:
    """Return the three percentiles, interpolated linearly as by `numpy.percentile`."""
    first = parts[0]
    if first.dtype.kind in "bui" and first.dtype.itemsize <= 2:
        return _percentiles_of_histogram(parts)
    values = np.concatenate([_finite(part) for part in parts])
    if not values.size:
        return 0.0, 0.0, 0.0
    ranks = [_rank(values.size, q) for q in LIMITS.percentiles]
    ordered = np.partition(values, sorted({k for rank in ranks for k in rank[:2]}))
    low, middle, high = (_interpolated(float(ordered[a]), float(ordered[b]), t) for a, b, t in ranks)
    return low, middle, high


def _percentiles_of_histogram(parts: list[NDArray[Any]]) -> tuple[float, float, float]:
    # Counting is several times faster than sorting and needs little memory for bands.
    dtype = parts[0].dtype
    lowest = 0 if dtype.kind in "bu" else int(np.iinfo(dtype).min)
    bins = 256 if dtype.itemsize == 1 else 65536
    counts = np.zeros(bins, np.int64)
    for part in parts:
        values = part.ravel()
        for start in range(0, values.size, _COUNTED_PX):
            # bincount converts to 64 bits; pieces of this size stay within the cache.
            piece = values[start : start + _COUNTED_PX].astype(np.intp)
            counts += np.bincount(piece - lowest if lowest else piece, minlength=bins)
    cumulative = np.cumsum(counts)
    total = int(cumulative[-1])
    if not total:
        return 0.0, 0.0, 0.0

    def at(rank: int) -> float:
        return float(np.searchsorted(cumulative, rank, side="right")) + lowest

    ranks = [_rank(total, q) for q in LIMITS.percentiles]
    low, middle, high = (_interpolated(at(a), at(b), t) for a, b, t in ranks)
    return low, middle, high


def _finite(part: NDArray[Any]) -> NDArray[Any]:
    values = part.ravel()
    return values[np.isfinite(values)] if values.dtype.kind == "f" else values


def _rank(count: int, percentile: float) -> tuple[int, int, float]:
    """Return the ranks below and above a percentile, and its fraction of the way between them."""
    position = (count - 1) * percentile / 100
    below = int(position)
    return below, min(below + 1, count - 1), position - below


def _interpolated(low: float, high: float, fraction: float) -> float:
    return low + (high - low) * fraction
