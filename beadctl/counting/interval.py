"""Intervals of counts and of means."""

import math
from dataclasses import dataclass

from scipy import special

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """Both ends of an interval."""

    low: float
    high: float


def poisson_interval(count: int, confidence: float = CONFIDENCE) -> Interval:
    """Return the exact interval of the mean of a Poisson distribution from one count.

    With a = 1 - confidence the ends are ``chi2(a/2; 2 n) / 2`` and ``chi2(1 - a/2; 2 n + 2) / 2``, quantiles
    of chi-squared (Garwood, Fiducial limits for the Poisson distribution, Biometrika 28 (1936), 437-442); the
    lower end of 0 is 0. It holds the mean with at least the stated probability.

    Parameters
    ----------
    count : int
        Beads, 0 or more.
    confidence : float
        Probability that the interval holds the mean, above 0 and below 1.

    Examples
    --------
    >>> ends = poisson_interval(10)
    >>> round(ends.low, 2), round(ends.high, 2)
    (4.8, 18.39)
    """
    tail = (1 - confidence) / 2
    # The chi-squared quantile of 2 k degrees is twice the inverse of the regularised gamma function of k.
    low = float(special.gammaincinv(count, tail)) if count else 0.0
    return Interval(low, float(special.gammainccinv(count + 1, tail)))


def jeffreys_interval(count: int) -> Interval:
    """Return the 95 % interval of the mean of a Poisson distribution that holds it in 95 % on average.

    The ends are quantiles of ``gamma(count + 1/2)`` at 2.5 and 97.5 %; the exact interval holds every mean in
    95 % or more, so it is wider (Brown, Cai and DasGupta, Interval estimation in exponential families,
    Statistica Sinica 13 (2003), 19-49). The ends of 0 are those of the exact interval, since quantiles would
    hold too few of the means just above (the same, Statistical Science 16 (2001), 101-133, section 4.1.2).

    Examples
    --------
    >>> ends = jeffreys_interval(10)
    >>> round(ends.low, 2), round(ends.high, 2)
    (5.14, 17.74)
    """
    if not count:
        return poisson_interval(count)
    tail = (1 - CONFIDENCE) / 2
    low, high = (float(special.gammaincinv(count + 0.5, end)) for end in (tail, 1 - tail))
    return Interval(low, high)


def mean_interval(mean: float, standard_error: float, n: int) -> Interval:
    """Return Student's interval of a mean that cannot be negative.

    It is that of `difference_interval`, its lower end at least 0.

    Examples
    --------
    >>> ends = mean_interval(50.0, 2.0, 5)
    >>> round(ends.low, 2), round(ends.high, 2)
    (44.45, 55.55)
    """
    ends = difference_interval(mean, standard_error, n)
    return Interval(math.nan if math.isnan(ends.low) else max(0.0, ends.low), ends.high)


def difference_interval(
    mean: float, standard_error: float, n: int, confidence: float = CONFIDENCE
) -> Interval:
    """Return Student's interval of a mean, of differences for example.

    The ends are ``mean -+ t(1 - a/2; n - 1) standard_error``; nan for fewer than two values.

    Parameters
    ----------
    mean, standard_error : float
        Of the mean.
    n : int
        Number of values.
    confidence : float
        As for `poisson_interval`.

    Examples
    --------
    >>> ends = difference_interval(1.0, 2.0, 5)
    >>> round(ends.low, 2), round(ends.high, 2)
    (-4.55, 6.55)
    """
    if n < 2:
        return Interval(math.nan, math.nan)
    half = float(special.stdtrit(n - 1, (1 + confidence) / 2)) * standard_error
    return Interval(mean - half, mean + half)
