"""Normalisation of a plane by percentiles of the whole plane, the same for training and inference."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl import scratch
from beadctl.errors import ImageError
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
    surround     0.1           share  pixels of the lowest, or the highest, grey level: no part of the field
    max_exact    16 * 2**20    px     largest plane of which every pixel is measured
    band_rows    64            rows   most rows of a band of a larger plane: a band touches few tiles
    min_bands    16            bands  fewest bands of a larger plane: they cover it from end to end
    largest      1e30          levels beyond it numbers stand for missing values, and sums of them overflow
    ===========  ============  ====== ===================================================================
    """

    clip: float = 3.0
    percentiles: tuple[float, float, float] = (0.1, 50.0, 99.9)
    surround: float = 0.1
    max_exact: int = 16 * 2**20
    band_rows: int = 64
    min_bands: int = 16
    largest: float = 1e30


LIMITS = NormalisationLimits()


@dataclass(frozen=True)
class Normalisation:
    """Offset and scale, grey levels: what lies at 0, and how far from it 1 is."""

    offset: float
    scale: float

    def scaled(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """Return ``(pixels - offset) / scale``, float32 of the shape of `pixels`; NaN and infinity stay.

        It is 0 everywhere if the scale is not positive or not finite (no contrast).

        Parameters
        ----------
        pixels : ndarray of bool, integer or float, any shape
            Pixels of the plane that was measured.
        """
        if not (np.isfinite(self.scale) and np.isfinite(self.offset) and self.scale > 0):
            return np.zeros(pixels.shape, np.float32)
        # float32 holds 16 bits exactly; of wider numbers the offset must be subtracted before rounding.
        exact: type[np.floating[Any]] = np.float32 if pixels.dtype.itemsize <= 2 else np.float64
        # A single huge number becomes infinite, which is taken for missing.
        with np.errstate(over="ignore"):
            values = pixels.astype(exact)
            values -= exact(self.offset)
            values /= exact(self.scale)
            return values.astype(np.float32, copy=False)


@dataclass(frozen=True)
class Levels:
    """Percentiles 0.1, 50 and 99.9 of the grey levels of a plane; all 0 for one without finite pixels.

    Its lowest grey level is left out where a tenth of the pixels or more have it, and so is its highest one:
    zero around a mosaic, or white. Where that leaves no contrast, they are of all pixels; and where these
    percentiles are equal too, `low` and `high` are the least and the largest grey level.
    """

    low: float
    median: float
    high: float

    @property
    def around_median(self) -> Normalisation:
        """The median at 0, and the percentile farther from it at 1 or -1."""
        return Normalisation(self.median, max(self.high - self.median, self.median - self.low))

    @property
    def around_middle(self) -> Normalisation:
        """The percentiles 0.1 and 99.9 at -1 and 1, whatever lies between: the median may be bead."""
        return Normalisation((self.low + self.high) / 2, (self.high - self.low) / 2)


# Of a plane that is normalised already.
NORMALISED = Levels(-1.0, 0.0, 1.0)


def clipped(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return scaled values as the network takes them: clipped to -3..3, and 0 for NaN and infinity."""
    return np.where(np.isfinite(values), np.clip(values, -LIMITS.clip, LIMITS.clip), np.float32(0))


def measure_levels(
    pixels: Pixels, *, max_exact: int = LIMITS.max_exact, surround: float = LIMITS.surround
) -> Levels:
    """Measure the levels of a plane.

    A plane of at most `max_exact` pixels is measured exactly, a larger one by `sample_bands`, which depend
    on the size of the plane alone. Where these have one grey level, but for a stray pixel, it is measured by
    the rows that have others: all of them, or as many as `max_exact` allows, evenly spread.

    Parameters
    ----------
    pixels : Pixels
        An open plane.
    max_exact : int
        Largest number of pixels to read, px.
    surround : float
        Share of the pixels from which the lowest and the highest grey level are left out; above 1 for none.

    Raises
    ------
    ImageError
        If the pixels cannot be decoded, or have numbers that nobody measures.
    """
    if pixels.height * pixels.width <= max_exact:
        return _from_parts([pixels.read_all()], surround)
    bands = sample_bands(pixels.height, pixels.width, max_exact)
    parts = [pixels.read(window) for window in bands]
    middle = _percentiles(_finite(parts))
    if middle.low == middle.high and (rows := _rows_with_others(pixels, middle.median, max_exact)):
        parts = rows
    return _from_parts(parts, surround)


def levels_of(array: NDArray[Any], surround: float = LIMITS.surround) -> Levels:
    """Return the levels of an array of bool, integer or float, of any shape.

    `surround` and errors are those of `measure_levels`.
    """
    return _from_parts([array], surround)


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


def _from_parts(parts: list[NDArray[Any]], surround: float) -> Levels:
    """Use the field without its surround, the whole, or the extremes: the first that has contrast."""
    flat = _finite(parts)
    levels = _percentiles(_without_surround(flat, surround))
    if levels.low == levels.high:
        levels = _percentiles(flat)
    if levels.low == levels.high and flat:
        levels = Levels(float(min(map(np.min, flat))), levels.median, float(max(map(np.max, flat))))
    # A difference of such numbers may be infinite, and its product with 0 is NaN.
    if not all(abs(level) <= LIMITS.largest for level in (levels.low, levels.high)):
        fault = f"has grey levels beyond {LIMITS.largest:.0e}"
        raise ImageError(f"{fault}; set pixels without a value to NaN, or divide all of them")
    return levels


def _finite(parts: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """Return the finite pixels of each part that has some."""
    flat = [part.ravel() for part in parts]
    flat = [values[np.isfinite(values)] if values.dtype.kind == "f" else values for values in flat]
    return [values for values in flat if values.size]


def _rows_with_others(pixels: Pixels, level: float, budget: int) -> list[NDArray[Any]]:
    """Return the rows that have another finite grey level, evenly thinned to about so many pixels."""
    kept, step, seen = list[NDArray[Any]](), 1, 0
    for rows in scratch.bands(pixels.height, pixels.width):
        band = pixels.read(Window(rows.start, 0, rows.stop - rows.start, pixels.width))
        others = band != level
        if band.dtype.kind == "f":
            others &= np.isfinite(band)
        for row in band[others.any(axis=1)]:
            if seen % step == 0:
                kept.append(row)
            seen += 1
            if len(kept) * pixels.width > budget and len(kept) > 1:
                kept, step = kept[::2], 2 * step
    return kept


def _percentiles(parts: list[NDArray[Any]]) -> Levels:
    """Interpolate percentiles linearly, as `numpy.percentile`; all are 0 without pixels."""
    if not parts:
        return Levels(0.0, 0.0, 0.0)
    last = sum(values.size for values in parts) - 1
    positions = [last * percentile / 100 for percentile in LIMITS.percentiles]
    below = [int(position) for position in positions]
    ranks = below + [min(rank + 1, last) for rank in below]
    is_counted = parts[0].dtype.kind in "bui" and parts[0].dtype.itemsize <= 2
    ordered = (_by_counting if is_counted else _by_sorting)(parts, ranks)
    low, middle, high = (
        a + (b - a) * (position - int(position))
        for a, b, position in zip(ordered[:3], ordered[3:], positions, strict=True)
    )
    return Levels(low, middle, high)


def _without_surround(parts: list[NDArray[Any]], surround: float) -> list[NDArray[Any]]:
    """Leave out the lowest and the highest grey level where such a share of the pixels have it."""
    least = surround * sum(values.size for values in parts)
    field = parts
    for end in (min(map(np.min, parts)), max(map(np.max, parts))) if parts else ():
        if sum(np.count_nonzero(values == end) for values in parts) >= least:
            field = [values[values != end] for values in field]
    return [values for values in field if values.size]


def _by_sorting(parts: list[NDArray[Any]], ranks: list[int]) -> list[float]:
    ordered = np.partition(np.concatenate(parts), sorted(set(ranks)))
    return [float(ordered[rank]) for rank in ranks]


def _by_counting(parts: list[NDArray[Any]], ranks: list[int]) -> list[float]:
    """Count, which is several times faster than sorting and needs little memory for bands."""
    dtype = parts[0].dtype
    lowest = 0 if dtype.kind in "bu" else int(np.iinfo(dtype).min)
    bins = 256 if dtype.itemsize == 1 else 65536
    counts = np.zeros(bins, np.int64)
    for values in parts:
        for start in range(0, values.size, _COUNTED_PX):
            # bincount converts to 64 bits; pieces of this size stay within the cache.
            piece = values[start : start + _COUNTED_PX].astype(np.intp)
            counts += np.bincount(piece - lowest if lowest else piece, minlength=bins)
    return [float(value) + lowest for value in np.searchsorted(np.cumsum(counts), ranks, side="right")]
