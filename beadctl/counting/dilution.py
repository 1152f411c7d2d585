"""Dilution series: whether counts follow the dilution, and over which range.

In the style of ISO 20391-2: fields at several dilutions, a proportional fit, its residuals and an index of
proportionality.
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from beadctl.counting.groups import Source
from beadctl.counting.interval import Interval
from beadctl.counting.loglinear import SIGNIFICANCE, Column, fit, glm, significant_alpha
from beadctl.counting.specimen import LEAST_LEVELS
from beadctl.errors import require_extra


@dataclass(frozen=True)
class DilutedField:
    """The count of a field of a diluted sample.

    Attributes
    ----------
    dilution : float
        Factor by which the stock was diluted, above 0.
    count : int
        Beads.
    area : float
        Of the field, above 0, in one unit for all fields of a series.
    replicate : str
        Fields of one replicate of a dilution are not independent; empty where none is stated. Equal names at
        two dilutions are two replicates.
    """

    dilution: float
    count: int
    area: float = 1.0
    replicate: str = ""


@dataclass(frozen=True)
class Level:
    """One dilution of a series.

    Attributes
    ----------
    dilution, fields : float and int
        Factor, and number of fields.
    mean, fitted : float
        Count of a field of the mean area: measured, and of the proportional fit.
    residual : float
        ``mean / fitted - 1``.
    linear : bool
        Whether it belongs to the linear range.
    """

    dilution: float
    fields: int
    mean: float
    fitted: float
    residual: float
    linear: bool


@dataclass(frozen=True)
class DilutionSeries:
    """Fits of a dilution series; nan is "unknown".

    Attributes
    ----------
    levels : tuple of Level
        From the least dilution to the greatest.
    source : Source
        Whether intervals and tests are by the counts of fields or of replicates.
    alpha : float
        Over-dispersion: the variance of such a count of mean m is ``m + alpha m**2``; 0 is a Poisson
        distribution.
    slope, slope_interval : float and Interval
        Of log count against log dilution, with 95 % interval; -1 where counts follow the dilution.
    stock, stock_interval : float and Interval
        Count of a field of the undiluted stock by the proportional fit, with 95 % interval.
    r2, r2_log : float
        Share of the variance of the counts that the proportional fit explains; squared correlation of the
        logarithms of dilution and mean count, over levels with beads.
    proportionality_index : float
        Mean of the levels' absolute residuals; 0 where counts follow the dilution.
    proportional_p : float
        Of the test that the means of all levels are proportional to one over the dilution.
    """

    levels: tuple[Level, ...]
    source: Source
    alpha: float
    slope: float
    slope_interval: Interval
    stock: float
    stock_interval: Interval
    r2: float
    r2_log: float
    proportionality_index: float
    proportional_p: float

    @property
    def linear_range(self) -> tuple[float, float] | None:
        """Least and greatest dilution of the linear range, or None."""
        inside = [level.dilution for level in self.levels if level.linear]
        return (inside[0], inside[-1]) if inside else None

    @property
    def outside(self) -> tuple[float, ...]:
        """Dilutions outside the linear range."""
        return tuple(level.dilution for level in self.levels if not level.linear)


def dilution_series(fields: Sequence[DilutedField]) -> DilutionSeries:
    """Fit a dilution series by generalised linear models with logarithmic link, in which zeros are counts.

    The proportional fit has one parameter, the count of the stock; the other one also the slope of log count
    against log dilution. Counts are Poisson distributed, or negative binomial where they scatter more about
    the fit (p < 0.05, Pearson's chi-squared): then alpha is the value at which that statistic equals its
    degrees of freedom (Breslow, Extra-Poisson variation in log-linear models, Applied Statistics 33 (1984),
    38-44). Intervals are Wald's with Student's quantile for the counts minus the parameters.

    Where fields state their replicate, those of each replicate of a dilution are added up to one count of
    their areas first, so alpha is the scatter of replicates, and their number is that of the counts.

    The linear range is the longest run of three or more neighbouring levels whose means are proportional to
    one over the dilution by a likelihood ratio test (p >= 0.05), of equally long ones that with more beads;
    alpha for this test is that of the counts about the means of their levels, where these have several.

    Parameters
    ----------
    fields : sequence of DilutedField
        Of three or more dilutions, with beads at two of them at least; all state a replicate, or none.

    Raises
    ------
    ValueError
        If there are fewer dilutions, or fewer with beads.

    Examples
    --------
    >>> counts = {1: (98, 104), 10: (9, 11), 100: (1, 0)}
    >>> series = dilution_series([DilutedField(d, n) for d, both in counts.items() for n in both])
    >>> round(series.slope, 2), series.linear_range
    (-1.04, (1.0, 100.0))
    """
    units = _independent(fields)
    counts, areas, dilution = _columns(units)
    factors, level = np.unique(dilution, return_inverse=True)
    beads = np.bincount(level, counts).astype(float)
    if factors.size < LEAST_LEVELS or np.count_nonzero(beads) < 2:
        raise ValueError(f"{factors.size} dilutions, {np.count_nonzero(beads)} of them with beads")
    # A count of the area 1 is that of a mean field, also where counts are those of replicates.
    mean_area = float(areas.sum()) / len(fields)
    relative = areas / mean_area
    expected_shape = relative / dilution

    means = beads / np.bincount(level, relative)
    proportional = fit(counts, np.ones((counts.size, 1)), np.log(expected_shape))
    log_log = fit(counts, np.stack([np.ones(counts.size), np.log(dilution)], axis=1), np.log(relative))
    pure = significant_alpha(counts, means[level] * relative, counts.size - factors.size)
    lack = _LackOfFit(
        counts, np.log(relative), np.log(dilution), level, log_log.alpha if pure is None else pure
    )
    linear = _linear_range(lack, beads)

    fitted = math.exp(proportional.parameters[0]) / factors
    residuals = means / fitted - 1
    of_fields, areas_of_fields, dilution_of_fields = _columns(fields)
    of_field = np.searchsorted(factors, dilution_of_fields)
    low, high = proportional.interval(0)
    return DilutionSeries(
        levels=tuple(
            Level(float(factor), int(n), float(mean), float(fit), float(residual), k in linear)
            for k, (factor, n, mean, fit, residual) in enumerate(
                zip(factors, np.bincount(of_field), means, fitted, residuals, strict=True)
            )
        ),
        source=Source.REPLICATES if any(field.replicate for field in fields) else Source.FIELDS,
        alpha=log_log.alpha,
        slope=float(log_log.parameters[1]),
        slope_interval=Interval(*log_log.interval(1)),
        stock=math.exp(proportional.parameters[0]),
        stock_interval=Interval(math.exp(low), math.exp(high)),
        r2=_explained(of_fields / areas_of_fields * mean_area, fitted[of_field]),
        r2_log=_squared_correlation(np.log(factors[beads > 0]), np.log(means[beads > 0])),
        proportionality_index=float(np.abs(residuals).mean()),
        proportional_p=lack.p(0, factors.size),
    )


def _independent(fields: Sequence[DilutedField]) -> list[DilutedField]:
    """Return the fields in the order of their dilutions, those of each replicate of a dilution added up."""
    units: dict[tuple[float, str | int], DilutedField] = {}
    for number, field in enumerate(sorted(fields, key=lambda field: field.dilution)):
        key = field.dilution, field.replicate or number
        other = units.get(key)
        units[key] = field if other is None else _sum(other, field)
    return list(units.values())


def _sum(one: DilutedField, other: DilutedField) -> DilutedField:
    return dataclasses.replace(one, count=one.count + other.count, area=one.area + other.area)


def _columns(fields: Sequence[DilutedField]) -> tuple[Column, Column, Column]:
    """Return counts, areas and dilutions."""
    return (
        np.array([field.count for field in fields], float),
        np.array([field.area for field in fields], float),
        np.array([field.dilution for field in fields], float),
    )


def require_packages() -> None:
    """Refuse a dilution series where the packages for its fits and its plot are not installed.

    Raises
    ------
    MissingExtraError
        It names the ``pip install``.
    """
    require_extra("stats", "statsmodels", "matplotlib")


class _LackOfFit:
    """Likelihood ratio tests that the means of neighbouring levels are proportional to 1 / dilution."""

    def __init__(
        self, counts: Column, log_area: Column, log_dilution: Column, level: NDArray[np.intp], alpha: float
    ) -> None:
        self._counts, self._log_area, self._log_dilution = counts, log_area, log_dilution
        self._level, self._alpha = level, alpha
        self._alone = [self._deviance(level == k, log_area) for k in range(int(level.max()) + 1)]

    def p(self, first: int, end: int) -> float:
        """Return the p value of the levels from `first` to before `end`; 1 where they have no bead."""
        inside = (self._level >= first) & (self._level < end)
        together = self._deviance(inside, self._log_area - self._log_dilution)
        return float(special.chdtrc(end - first - 1, max(0.0, together - sum(self._alone[first:end]))))

    def _deviance(self, inside: NDArray[np.bool_], offset: Column) -> float:
        counts = self._counts[inside]
        # One count, and a level without beads, are fitted exactly.
        if counts.size == 1 or not counts.any():
            return 0.0
        return float(glm(counts, np.ones((counts.size, 1)), offset[inside], self._alpha).deviance)


def _linear_range(lack: _LackOfFit, beads: Column) -> range:
    """Return the levels of the linear range."""
    best, score = range(0), (0, 0.0)
    for first in range(beads.size):
        for end in range(first + LEAST_LEVELS, beads.size + 1):
            inside = float(beads[first:end].sum())
            if inside and (end - first, inside) > score and lack.p(first, end) >= SIGNIFICANCE:
                best, score = range(first, end), (end - first, inside)
    return best


def _explained(counts: Column, line: Column) -> float:
    """Return the share of the variance of counts that a line explains; nan where they are equal."""
    total = float(((counts - counts.mean()) ** 2).sum())
    return 1 - float(((counts - line) ** 2).sum()) / total if total else math.nan


def _squared_correlation(x: Column, y: Column) -> float:
    return float(np.corrcoef(x, y)[0, 1] ** 2) if x.size > 1 and np.ptp(y) > 0 else math.nan
