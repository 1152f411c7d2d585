"""Agreement between two counts of the same fields, such as of a program and of a person."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from beadctl.counting.interval import CONFIDENCE, Interval, difference_interval

# Of a normal distribution, 95 % lie within so many standard deviations.
NORMAL_95 = float(special.ndtri((1 + CONFIDENCE) / 2))
# Least manual counts of the density bands.
BANDS = (0, 10, 100, 1000)

Column = NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """Agreement of counts with manual ones; nan is "unknown".

    Attributes
    ----------
    fields : int
        Number of fields that both counted.
    bias, bias_interval : float and Interval
        Mean difference, count minus manual count, and its 95 % interval.
    limits : Interval
        Limits of agreement, between which 95 % of the differences lie.
    concordance, concordance_interval : float and Interval
        Lin's concordance correlation coefficient and its 95 % interval.
    mape : float
        Mean absolute difference over the manual count, of fields where that is above 0.
    """

    fields: int
    bias: float
    bias_interval: Interval
    limits: Interval
    concordance: float
    concordance_interval: Interval
    mape: float


def agreement(counts: Sequence[int], manual: Sequence[int]) -> Agreement:
    """Compare counts with manual counts of the same fields.

    The limits of agreement are ``bias -+ 1.96 sd`` of the differences (Bland and Altman, Lancet 327 (1986),
    307-310). The concordance is ``2 s_xy / (s_x**2 + s_y**2 + (mean_x - mean_y)**2)``, moments over n, and
    its interval that of its inverse hyperbolic tangent (Lin, Biometrics 45 (1989), 255-268; corrected 56
    (2000), 324-325).

    Parameters
    ----------
    counts, manual : sequence of int
        Of one field each, one or more.

    Examples
    --------
    >>> found = agreement([10, 22, 29, 41], [10, 20, 30, 40])
    >>> found.bias, round(found.concordance, 4), found.mape
    (0.5, 0.994, 0.03958333333333333)
    """
    x, y = np.array(counts, float), np.array(manual, float)
    difference, n = x - y, x.size
    bias = float(difference.mean())
    sd = float(difference.std(ddof=1)) if n > 1 else math.nan
    relative = np.abs(difference[y > 0]) / y[y > 0]
    concordance, ends = _concordance(x, y)
    return Agreement(
        fields=n,
        bias=bias,
        bias_interval=difference_interval(bias, sd / math.sqrt(n), n),
        limits=Interval(bias - NORMAL_95 * sd, bias + NORMAL_95 * sd),
        concordance=concordance,
        concordance_interval=ends,
        mape=float(relative.mean()) if relative.size else math.nan,
    )


def bands(counts: Sequence[int], manual: Sequence[int]) -> Iterator[tuple[str, Agreement]]:
    """Yield the agreement of the fields of each density band that has some, by its manual counts: ``10-99``.

    Parameters
    ----------
    counts, manual : sequence of int
        As for `agreement`.

    Examples
    --------
    >>> [(name, one.fields) for name, one in bands([10, 22, 129], [9, 20, 130])]
    [('0-9', 1), ('10-99', 1), ('100-999', 1)]
    """
    for low, high in zip(BANDS, (*BANDS[1:], math.inf), strict=True):
        inside = [pair for pair in zip(counts, manual, strict=True) if low <= pair[1] < high]
        if inside:
            yield f"{low}-{high - 1}" if high < math.inf else f"{low}-", agreement(*zip(*inside, strict=True))


def _concordance(x: Column, y: Column) -> tuple[float, Interval]:
    """Return Lin's coefficient, nan where nothing varies, and its interval, nan for fewer than 4 fields."""
    unknown = Interval(math.nan, math.nan)
    shift = float(x.mean() - y.mean())
    sx, sy = float(x.std()), float(y.std())
    if sx == 0 or sy == 0:
        return math.nan, unknown
    r = float(((x - x.mean()) * (y - y.mean())).mean()) / (sx * sy)
    c = 2 * r * sx * sy / (sx**2 + sy**2 + shift**2)
    if x.size < 4 or abs(r) < 1e-12 or abs(c) > 1 - 1e-12:
        return c, unknown
    u2 = shift**2 / (sx * sy)
    rest = 1 - c**2
    variance = (1 - r**2) * c**2 / (rest * r**2)
    variance += 2 * c**3 * (1 - c) * u2 / (r * rest**2) - c**4 * u2**2 / (2 * r**2 * rest**2)
    half = NORMAL_95 * math.sqrt(max(0.0, variance) / (x.size - 2))
    return c, Interval(math.tanh(math.atanh(c) - half), math.tanh(math.atanh(c) + half))
