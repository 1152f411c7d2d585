"""Statistics of a group of fields: mean, spread, interval, and whether counts scatter more than Poisson's."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import special

from beadctl.counting.interval import Interval, mean_interval, poisson_interval

# Iglewicz and Hoaglin (How to detect and handle outliers, 1993) advise this limit of their modified z score.
OUTLIER_Z = 3.5
# Median absolute deviation to standard deviation of a normal distribution.
MAD_TO_SD = 1.4826


@dataclass(frozen=True)
class Field:
    """The count of a field of view.

    Attributes
    ----------
    name : str
        By which an outlier is named.
    count : int
        Beads.
    area : float
        Area of the field, above 0, in one unit for all fields of a group.
    replicate : str
        Fields of one replicate are not independent; empty where none is stated.
    """

    name: str
    count: int
    area: float
    replicate: str = ""


class Source(StrEnum):
    """What an interval of a mean is made of."""

    FIELDS = "fields"
    REPLICATES = "replicates"
    POISSON = "poisson"


@dataclass(frozen=True)
class GroupStatistics:
    """Statistics of a group; nan is "unknown".

    Attributes
    ----------
    fields, replicates, beads : int
        Number of fields and of replicates (0 where none are stated), and sum of the counts.
    mean_area : float
        Mean area of the fields. Counts of fields of another size are scaled to it.
    mean, sd, cv, standard_error : float
        Of the counts of fields; of the means of the replicates where these are stated.
    interval, source : Interval and Source
        95 % interval of the mean, and what it is made of.
    dispersion, dispersion_p : float
        Variance of the counts over that of a Poisson distribution, and the probability of this value or a
        higher one if they are Poisson distributed.
    outliers : tuple of str
        Names of fields that lie far from the others.
    """

    fields: int
    replicates: int
    beads: int
    mean_area: float
    mean: float
    sd: float
    cv: float
    standard_error: float
    interval: Interval
    source: Source
    dispersion: float
    dispersion_p: float
    outliers: tuple[str, ...]


def group_statistics(fields: Sequence[Field]) -> GroupStatistics:
    """Summarise the counts of fields of one sample.

    Where every field states its replicate and there are two or more, the fields of each are added up first,
    and the spread is that between replicates. The interval is Student's between fields or replicates; of a
    single one, or where all are equal, it is Garwood's exact Poisson interval of the sum, divided by the
    number of fields.

    Parameters
    ----------
    fields : sequence of Field
        One or more.

    Examples
    --------
    >>> group = group_statistics([Field("a", 8, 1.0), Field("b", 12, 1.0), Field("c", 10, 1.0)])
    >>> group.mean, group.sd, round(group.interval.low, 2), round(group.interval.high, 2)
    (10.0, 2.0, 5.03, 14.97)
    """
    counts = np.array([field.count for field in fields], float)
    areas = np.array([field.area for field in fields], float)
    mean_area = float(areas.mean())
    names = [field.replicate for field in fields]
    replicates = len(set(names)) if all(names) else 0
    between = replicates > 1
    unit = np.unique(names, return_inverse=True)[1] if between else np.arange(len(fields))
    scaled = np.bincount(unit, counts) / np.bincount(unit, areas) * mean_area
    n, mean = scaled.size, float(scaled.mean())
    sd = float(scaled.std(ddof=1)) if n > 1 else math.nan
    error = sd / math.sqrt(n)
    if n > 1 and np.ptp(scaled) > 1e-9 * mean:
        interval, source = mean_interval(mean, error, n), Source.REPLICATES if between else Source.FIELDS
    else:
        ends = poisson_interval(int(counts.sum()))
        interval, source = Interval(ends.low / len(fields), ends.high / len(fields)), Source.POISSON
    dispersion, p = over_dispersion(counts, areas)
    return GroupStatistics(
        fields=len(fields),
        replicates=replicates,
        beads=int(counts.sum()),
        mean_area=mean_area,
        mean=mean,
        sd=sd,
        cv=sd / mean if mean else math.nan,
        standard_error=error,
        interval=interval,
        source=source,
        dispersion=dispersion,
        dispersion_p=p,
        outliers=tuple(fields[index].name for index in outliers(counts / areas * mean_area)),
    )


def over_dispersion(counts: NDArray[np.float64], areas: NDArray[np.float64]) -> tuple[float, float]:
    """Return how much counts scatter beyond a Poisson distribution, and the p value of that.

    Fisher's index of dispersion: with the expected counts ``e = areas sum(counts) / sum(areas)`` the sum of
    ``(counts - e)**2 / e`` has, for Poisson counts, about a chi-squared distribution of n - 1 degrees of
    freedom. Returned are the sum over n - 1 and the upper tail; nan for one field or no bead at all.

    Parameters
    ----------
    counts, areas : ndarray, shape (N,)
        Beads, and areas of the fields.

    Examples
    --------
    >>> index, p = over_dispersion(np.array([5.0, 15.0]), np.ones(2))
    >>> round(index, 2), round(p, 4)
    (5.0, 0.0253)
    """
    if counts.size < 2 or not counts.any():
        return math.nan, math.nan
    expected = areas * counts.sum() / areas.sum()
    total = float(((counts - expected) ** 2 / expected).sum())
    degrees = counts.size - 1
    return total / degrees, float(special.chdtrc(degrees, total))


def outliers(counts: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the indices of counts that lie far from the others.

    On the scale ``2 sqrt(count + 3/8)`` (Anscombe, Biometrika 35 (1948), 246-254) Poisson counts have the
    standard deviation 1. Far is more than 3.5 standard deviations from the median, where that is 1.4826 times
    the median absolute deviation (Iglewicz and Hoaglin's modified z score), but at least 1.

    Parameters
    ----------
    counts : ndarray, shape (N,)
        Beads of fields of one size, one or more; of fewer than three none is an outlier.

    Examples
    --------
    >>> outliers(np.array([50.0, 47.0, 55.0, 4.0])).tolist()
    [3]
    """
    root = 2 * np.sqrt(counts + 3 / 8)
    distance = np.abs(root - np.median(root))
    return np.flatnonzero(distance > OUTLIER_Z * max(1.0, MAD_TO_SD * float(np.median(distance))))
