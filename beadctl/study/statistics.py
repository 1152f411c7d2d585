"""Statistics over seeds: means with intervals, and paired tests between losses."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from beadctl.study.outcome import Arm, Outcome

Metric = Literal["jaccard", "f1", "count_mape", "val_jaccard"]
LIMITS: Mapping[Metric, tuple[float, float]] = MappingProxyType(
    {"jaccard": (0.0, 1.0), "f1": (0.0, 1.0), "count_mape": (0.0, math.inf), "val_jaccard": (0.0, 1.0)}
)
LOWER_IS_BETTER = frozenset({"count_mape"})
CONFIDENCE = 0.95
# Fewer seeds give no interval, and no difference counts as shown.
LEAST_SEEDS = 3
# Smaller differences are rounding errors of sums in another order.
ROUNDING = 1e-12

# A run within a group: its seed, and the factors that the group does not fix.
Cell = tuple[int, float, int, float]
Groups = Mapping[str, Mapping[Cell, float]]


@dataclass(frozen=True)
class Estimate:
    """A metric over the seeds of an arm.

    Attributes
    ----------
    n : int
        Number of runs that have the metric.
    mean, best, sd : float
        Mean, least error or greatest score, and sample standard deviation; nan where there are too few runs.
    low, high : float
        95 % t interval of the mean within the limits of the metric; nan for fewer than 3 runs.
    """

    n: int
    mean: float
    best: float
    sd: float
    low: float
    high: float


@dataclass(frozen=True)
class Summary:
    """An arm over its seeds.

    Attributes
    ----------
    arm : Arm
        Compared settings.
    failed : int
        Number of runs without figures.
    jaccard, f1, count_mape, val_jaccard : Estimate
        Metrics of the finished runs.
    """

    arm: Arm
    failed: int
    jaccard: Estimate
    f1: Estimate
    count_mape: Estimate
    val_jaccard: Estimate


@dataclass(frozen=True)
class Difference:
    """Two losses over the seeds that both have.

    Attributes
    ----------
    first, second : str
        The losses; `first` has the better mean on these seeds.
    n : int
        Number of seeds that both have.
    mean, low, high : float
        Of first minus second, with the 95 % t interval (nan for fewer than 3 seeds); negative for errors.
    p, p_corrected : float
        Of the paired two-sided t test, before and after Holm's correction for all pairs; nan for fewer than
        2 seeds.
    """

    first: str
    second: str
    n: int
    mean: float
    low: float
    high: float
    p: float
    p_corrected: float

    @property
    def shown(self) -> bool:
        """Whether the difference is significant and has enough seeds."""
        return self.n >= LEAST_SEEDS and self.p_corrected < 1 - CONFIDENCE


def summarise(outcomes: Sequence[Outcome]) -> list[Summary]:
    """Return the summary of each arm; the best mean Jaccard first, arms without a finished run last."""
    rows = []
    for arm in dict.fromkeys(run.arm for run in outcomes):
        runs = [run for run in outcomes if run.arm == arm]
        finished = [run for run in runs if run.finished]
        estimates = [_estimate(finished, metric) for metric in LIMITS]
        rows.append(Summary(arm, len(runs) - len(finished), *estimates))
    return sorted(rows, key=lambda row: -row.jaccard.mean if row.jaccard.n else math.inf)


def differences(outcomes: Sequence[Outcome], metric: Metric = "jaccard") -> list[Difference]:
    """Test every pair of losses, or of losses with their weightings where several are compared.

    The seed is the unit of replication: runs of one seed share tiles, augmentation and initial weights. The
    differences over learning rate, batch size and dropout are therefore averaged within a seed, and a paired
    two-sided t test is made of these averages over the seeds; Wilcoxon's signed-rank test could never be
    significant, as its least p is 0.0625 with five seeds. Only runs that both losses finished under the same
    factors and seed are used. `holm` corrects the p values. Pairs are in the order of the losses' means.

    Parameters
    ----------
    outcomes : sequence of Outcome
        All runs; failed ones are left out.
    metric : str
        The metric to compare.
    """
    groups = grouped(outcomes, metric)
    pairs = [_pair(one, two, groups, metric) for one, two in combinations(groups, 2)]
    corrected = holm([pair.p for pair in pairs])
    return [replace(pair, p_corrected=p) for pair, p in zip(pairs, corrected, strict=True)]


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p values for multiple tests.

    Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6
    (1979): the k-th smallest of m is multiplied by m - k + 1, and is at least the one before it.

    Parameters
    ----------
    p_values : sequence of float
        In any order, which is kept; nan for a test that could not be made, which does not count in m.
    """
    corrected = np.array(p_values, dtype=np.float64)
    order = np.argsort(corrected)[: np.count_nonzero(~np.isnan(corrected))]
    factors = np.arange(order.size, 0, -1)
    corrected[order] = np.maximum.accumulate(np.minimum(1, factors * corrected[order]))
    return [float(p) for p in corrected]


def grouped(outcomes: Sequence[Outcome], metric: Metric) -> dict[str, dict[Cell, float]]:
    """Return the finite values of each loss, or loss and weighting where several are compared, by `Cell`.

    Groups are in the order of their means over seeds, the best first.

    Parameters
    ----------
    outcomes : sequence of Outcome
        All runs; of a run that is given twice the last one counts.
    metric : str
        The metric.
    """
    weighted = len({run.arm.weighting for run in outcomes}) > 1
    groups: dict[str, dict[Cell, float]] = {}
    for run in outcomes:
        arm, value = run.arm, getattr(run, metric)
        if run.finished and math.isfinite(value):
            name = f"{arm.loss} {arm.weighting}" if weighted else arm.loss
            groups.setdefault(name, {})[run.seed, arm.lr, arm.batch_size, arm.dropout] = value
    sign = 1 if metric in LOWER_IS_BETTER else -1
    return dict(sorted(groups.items(), key=lambda group: sign * float(np.mean(_seed_means(group[1])))))


def _estimate(runs: Sequence[Outcome], metric: Metric) -> Estimate:
    values = np.array([getattr(run, metric) for run in runs], dtype=np.float64)
    values = values[np.isfinite(values)]
    if not values.size:
        return Estimate(0, *[math.nan] * 5)
    best = float(values.min() if metric in LOWER_IS_BETTER else values.max())
    mean, sd, low, high = _interval(values, *LIMITS[metric])
    return Estimate(values.size, mean, best, sd, low, high)


def _seed_means(values: Mapping[Cell, float]) -> list[float]:
    """Return the mean of each seed, seeds in order."""
    seeds = sorted({cell[0] for cell in values})
    return [float(np.mean([value for cell, value in values.items() if cell[0] == seed])) for seed in seeds]


def _pair(one: str, two: str, groups: Groups, metric: Metric) -> Difference:
    first, second = groups[one], groups[two]
    shared = {cell: first[cell] - second[cell] for cell in first if cell in second}
    paired = np.array(_seed_means(shared), dtype=np.float64)
    paired[np.abs(paired) < ROUNDING] = 0
    if paired.size and (paired.mean() > 0 if metric in LOWER_IS_BETTER else paired.mean() < 0):
        one, two, paired = two, one, -paired
    span = LIMITS[metric][1] - LIMITS[metric][0]
    mean, sd, low, high = _interval(paired, -span, span)
    return Difference(one, two, paired.size, mean, low, high, _p_of_t(mean, sd, paired.size), math.nan)


def _interval(
    values: NDArray[np.float64], least: float, greatest: float
) -> tuple[float, float, float, float]:
    """Return mean, standard deviation, and the ends of the mean's 95 % t interval within limits."""
    mean = float(values.mean()) if values.size else math.nan
    sd = float(values.std(ddof=1)) if values.size > 1 else math.nan
    if values.size < LEAST_SEEDS:
        return mean, sd, math.nan, math.nan
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, values.size - 1)) * sd / math.sqrt(values.size)
    return mean, sd, max(least, mean - half), min(greatest, mean + half)


def _p_of_t(mean: float, sd: float, n: int) -> float:
    """Return the two-sided p of a mean of paired differences against 0, defined for equal ones as well."""
    if n < 2:
        return math.nan
    if sd == 0:
        return 1.0 if mean == 0 else 0.0
    return float(2 * stats.t.sf(abs(mean) / (sd / math.sqrt(n)), n - 1))
