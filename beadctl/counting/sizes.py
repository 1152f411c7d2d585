"""Statistics of the diameters of beads: percentiles, modes, histogram, share of a nominal size."""

import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from beadctl.counting.interval import CONFIDENCE, Interval
from beadctl.errors import SettingsError

# Bars of a histogram.
MOST_BARS = 100
# Points at which the density is computed, and bins of equal width into which the diameters go before.
DENSITY_POINTS = 1024
# Least height of a mode of many beads above the higher one of the valleys beside it, over the highest mode.
LEAST_PROMINENCE = 0.1
# Relative difference of lengths that are equal but for the rounding of um.
ROUNDING = 1e-9

Column = NDArray[np.float64]
_TOLERANCE = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*(%|um|µm|μm)\s*")


@dataclass(frozen=True)
class Nominal:
    """A nominal diameter and how far a bead may differ from it, um.

    Examples
    --------
    >>> Nominal.parse(1.0, "5%")
    Nominal(diameter_um=1.0, tolerance_um=0.05)
    """

    diameter_um: float
    tolerance_um: float

    @classmethod
    def parse(cls, diameter_um: float, tolerance: str) -> "Nominal":
        """Read the tolerance: ``5%`` of the diameter, or ``0.1um``.

        Raises
        ------
        SettingsError
            If it is neither.
        """
        match = _TOLERANCE.fullmatch(tolerance)
        if not match:
            raise SettingsError(f"--tolerance {tolerance}: not a tolerance; write 5% or 0.1um")
        value = float(match[1])
        return cls(diameter_um, diameter_um * value / 100 if match[2] == "%" else value)


@dataclass(frozen=True)
class SizeStatistics:
    """Statistics of diameters, in the unit of the diameters; nan is "unknown".

    Attributes
    ----------
    beads : int
        Their number.
    mean, sd, cv : float
        Mean, standard deviation (of two or more), and sd over mean.
    d10, d50, d90 : float
        Diameters below which are 10, 50 and 90 % of the beads, by number.
    modes : tuple of float
        Peaks of the density, from the highest to the lowest.
    """

    beads: int
    mean: float
    sd: float
    cv: float
    d10: float
    d50: float
    d90: float
    modes: tuple[float, ...]


def size_statistics(diameters: Column) -> SizeStatistics:
    """Summarise diameters.

    Percentiles are interpolated between the sorted diameters (type 7 of Hyndman and Fan, Sample quantiles in
    statistical packages, American Statistician 50 (1996), 361-365). For the modes see `modes`.

    Parameters
    ----------
    diameters : ndarray, shape (N,)
        One or more.

    Examples
    --------
    >>> found = size_statistics(np.array([4.0, 5.0, 5.0, 5.0, 6.0]))
    >>> found.d50, round(found.cv, 3), [round(mode, 2) for mode in found.modes]
    (5.0, 0.141, [5.0])
    """
    mean = float(diameters.mean())
    sd = float(diameters.std(ddof=1)) if diameters.size > 1 else math.nan
    d10, d50, d90 = (float(value) for value in np.percentile(diameters, [10, 50, 90]))
    return SizeStatistics(diameters.size, mean, sd, sd / mean, d10, d50, d90, modes(diameters))


def modes(diameters: Column) -> tuple[float, ...]:
    """Return the peaks of the density of diameters, from the highest to the lowest.

    The density is a sum of Gaussian kernels whose width is Silverman's, ``0.9 min(sd, iqr / 1.349) N**-0.2``
    (Density estimation for statistics and data analysis, 1986, p. 48). A peak counts if it rises above the
    valleys beside it by ``0.1 + 1 / sqrt(N)`` of the highest one or more: few beads scatter into bumps.

    Parameters
    ----------
    diameters : ndarray, shape (N,)
        One or more.
    """
    from scipy.signal import find_peaks
    from scipy.stats import gaussian_kde

    # Far outliers would take all points of the density.
    low, high = np.percentile(diameters, 0.5, method="lower"), np.percentile(diameters, 99.5, method="higher")
    if high - low <= ROUNDING * high:
        return (float(low),)
    counts, edges = np.histogram(diameters, DENSITY_POINTS, (low, high))
    middles = (edges[:-1] + edges[1:]) / 2
    middles, counts = middles[counts > 0], counts[counts > 0]
    sd = float(diameters[(diameters >= low) & (diameters <= high)].std(ddof=1))
    quartiles = np.percentile(diameters, [25, 75])
    spread = min(sd, float(np.ptp(quartiles)) / 1.349) or sd
    width = max(0.9 * spread * diameters.size ** (-1 / 5), float(high - low) / DENSITY_POINTS)
    # The factor of the class is relative to its own standard deviation, that of weighted points.
    own = math.sqrt(float(np.cov(middles, aweights=counts)))
    density = gaussian_kde(middles, width / own, weights=counts)
    points = np.linspace(low, high, DENSITY_POINTS)
    heights = density(points)
    least = (LEAST_PROMINENCE + 1 / math.sqrt(diameters.size)) * heights.max()
    # A peak at an end of the diameters falls to both sides too.
    padded = np.pad(heights, 1)
    peaks = find_peaks(padded, prominence=least)[0] - 1
    return tuple(float(points[peak]) for peak in sorted(peaks, key=lambda peak: -heights[peak]))


@dataclass(frozen=True)
class Histogram:
    """Numbers of beads by their diameter.

    Attributes
    ----------
    edges : ndarray, shape (N + 1,)
        Ends of the bars, which are equally wide; the last bar has both of its ends.
    beads : ndarray of int, shape (N,)
        Beads of each bar.
    density : ndarray, shape (N,)
        Share of the beads over the width of the bar, so that the bars have the area 1.
    """

    edges: Column
    beads: NDArray[np.int64]
    density: Column


def size_histogram(diameters: Column) -> Histogram:
    """Count beads by diameter, in at most 100 bars.

    The bars are as many as the width of Freedman and Diaconis gives, ``2 iqr N**(-1/3)`` (On the histogram as
    a density estimator, Zeitschrift für Wahrscheinlichkeitstheorie 57 (1981), 453-476), or as Sturges' rule,
    ``log2(N) + 1``, where that gives more. Diameters that differ by rounding alone are one bar, from half to
    one and a half times as wide.

    Parameters
    ----------
    diameters : ndarray, shape (N,)
        One or more.

    Examples
    --------
    >>> histogram = size_histogram(np.array([4.0, 5.0, 5.0, 6.0]))
    >>> histogram.edges.tolist(), histogram.beads.tolist()
    ([4.0, 4.5, 5.0, 5.5, 6.0], [1, 0, 2, 1])
    """
    if np.ptp(diameters) <= ROUNDING * diameters.max():
        middle = float(np.median(diameters))
        return Histogram(np.array([0.5, 1.5]) * middle, np.array([diameters.size]), np.array([1 / middle]))
    iqr = float(np.ptp(np.percentile(diameters, [25, 75])))
    width = 2 * iqr * diameters.size ** (-1 / 3)
    by_width = float(np.ptp(diameters)) / width if width else 0.0
    bars = math.ceil(min(max(by_width, math.log2(diameters.size) + 1), MOST_BARS))
    beads, edges = np.histogram(diameters, bars)
    return Histogram(edges, beads, beads / beads.sum() / np.diff(edges))


@dataclass(frozen=True)
class Share:
    """A number of beads, their share of all, and its 95 % interval."""

    beads: int
    share: float
    interval: Interval


def share_inside(diameters_um: Column, nominal: Nominal) -> Share:
    """Return how many beads have the nominal diameter within its tolerance, limits included.

    The interval is that of Wilson (Journal of the American Statistical Association 22 (1927), 209-212).

    Parameters
    ----------
    diameters_um : ndarray, shape (N,)
        One or more, um.
    nominal : Nominal
        The diameter, and its tolerance.

    Examples
    --------
    >>> found = share_inside(np.array([0.9, 0.97, 1.0, 1.05]), Nominal(1.0, 0.05))
    >>> found.beads, found.share, round(found.interval.low, 2), round(found.interval.high, 2)
    (3, 0.75, 0.3, 0.95)
    """
    from scipy.stats import binomtest

    rounding = ROUNDING * nominal.diameter_um
    inside = np.abs(diameters_um - nominal.diameter_um) <= nominal.tolerance_um + rounding
    found = binomtest(int(inside.sum()), diameters_um.size)
    ends = found.proportion_ci(CONFIDENCE, method="wilson")
    return Share(int(inside.sum()), float(found.statistic), Interval(float(ends.low), float(ends.high)))
