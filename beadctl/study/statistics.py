"""What runs over several seeds allow to say: means with intervals, paired tests, a cautious sentence."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from scipy import stats

from beadctl.study.outcome import Arm, Outcome

Metric = Literal["jaccard", "f1", "count_mape", "val_jaccard"]
LOWER_IS_BETTER = frozenset({"count_mape"})
CONFIDENCE = 0.95
LEAST_SEEDS = 3
# A lead that four digits do not show is none to speak of.
LEAST_TOLD = 5e-5
# Pairs that a sentence can hold; the table has them all.
MOST_NAMED = 3
# Differences below this are rounding of sums taken in another order, not differences.
ROUNDING = 1e-12

# A cell is one run of a group: its seed, and the factors that the group does not fix.
Cell = tuple[int, float, int, float]


@dataclass(frozen=True)
class Figure:
    """A metric over the seeds of an arm.

    Attributes
    ----------
    n : int
        Runs that have it.
    mean, best, sd : float
        `best` is the least for errors and the greatest for everything else; `sd` that of the sample.
        What needs more runs than there are is nan.
    low, high : float
        95 % t interval of the mean; nan for fewer than two runs.
    """

    n: int
    mean: float
    best: float
    sd: float
    low: float
    high: float


@dataclass(frozen=True)
class Summary:
    """An arm over its seeds; `failed` counts the runs that have no figures."""

    arm: Arm
    failed: int
    jaccard: Figure
    f1: Figure
    count_mape: Figure
    val_jaccard: Figure


@dataclass(frozen=True)
class Difference:
    """Two losses over the seeds that both have.

    Attributes
    ----------
    first, second : str
        The better on these seeds comes first.
    n : int
        Seeds that both have.
    mean, low, high : float
        Of first minus second, with the 95 % t interval (nan for fewer than two seeds); negative where
        less is better.
    p, p_corrected : float
        Of the paired two-sided t test, alone and after Holm's correction for all pairs; nan for fewer than
        two seeds.
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
        """Whether the seeds are enough, and the corrected p small enough, to speak of a difference."""
        return self.n >= LEAST_SEEDS and self.p_corrected < 1 - CONFIDENCE


def summarise(outcomes: Sequence[Outcome]) -> list[Summary]:
    """Return one summary an arm, the best mean Jaccard first and arms without a finished run last."""
    rows = []
    for arm in dict.fromkeys(run.arm for run in outcomes):
        runs = [run for run in outcomes if run.arm == arm]
        failed = sum(not run.finished for run in runs)
        rows.append(
            Summary(
                arm,
                failed,
                _figure(runs, "jaccard"),
                _figure(runs, "f1"),
                _figure(runs, "count_mape"),
                _figure(runs, "val_jaccard"),
            )
        )
    return sorted(rows, key=lambda row: -row.jaccard.mean if row.jaccard.n else math.inf)


def figure(values: Iterable[float], *, lower_is_better: bool = False) -> Figure:
    """Return mean, best, standard deviation and 95 % t interval of the finite values."""
    known = np.array([value for value in values if math.isfinite(value)], dtype=np.float64)
    if not known.size:
        return Figure(0, math.nan, math.nan, math.nan, math.nan, math.nan)
    best = float(known.min() if lower_is_better else known.max())
    mean, sd, low, high = _interval(known)
    return Figure(known.size, mean, best, sd, low, high)


def differences(outcomes: Sequence[Outcome], metric: Metric = "jaccard") -> list[Difference]:
    """Test every pair of losses, or of losses with their weightings where several are compared.

    The seed is the unit of replication: runs of one seed share their tiles, their augmentation and their
    initial weights, so runs that differ in the learning rate, the batch size or the dropout are no further
    witnesses for a loss. Within a seed the differences over those factors are therefore averaged first, and
    over the seeds a paired two-sided t test is taken of these averages. Only runs that both losses finished
    under the same factors and seed count. The p values of all pairs are corrected by `holm`.

    The t test rather than Wilcoxon's, although nothing guarantees normal differences: with n seeds the least
    p that the signed-rank test can give is 2^(1-n), 0.25 for three and 0.0625 for five, so it could never
    show a difference with the number of seeds that anyone trains.

    Parameters
    ----------
    outcomes : sequence of Outcome
        All runs; failed ones are left out.
    metric : str
        What is compared.

    Returns
    -------
    list of Difference
        One a pair, in the order of the losses' means; empty for fewer than two losses.
    """
    groups = _groups(outcomes, metric)
    ranked = _ranked(groups, metric)
    pairs = [_pair(one, two, groups, metric) for one, two in combinations(ranked, 2)]
    corrected = holm([pair.p for pair in pairs])
    return [
        Difference(pair.first, pair.second, pair.n, pair.mean, pair.low, pair.high, pair.p, p)
        for pair, p in zip(pairs, corrected, strict=True)
    ]


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p values for being one of many.

    Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6
    (1979): the k-th smallest of m is multiplied by m - k + 1, and none may be below the one before it.
    A nan is no test: it stays nan and does not count in m.
    """
    corrected = [math.nan] * len(p_values)
    tested = sorted((p, place) for place, p in enumerate(p_values) if not math.isnan(p))
    least = 0.0
    for k, (p, place) in enumerate(tested):
        least = max(least, min(1.0, (len(tested) - k) * p))
        corrected[place] = least
    return corrected


def verdict(outcomes: Sequence[Outcome]) -> str:
    """Say in a sentence or two what the runs show about the losses, and no more than that."""
    groups = _groups(outcomes, "jaccard")
    ranked = _ranked(groups, "jaccard")
    if not ranked:
        return "Nothing to compare: no run finished with a Jaccard."
    if len(ranked) == 1:
        return f"Nothing to compare: {ranked[0]} is the only loss with a finished run."
    pairs = differences(outcomes)
    said = [_sentence(ranked, pairs, what_is_measured(outcomes)), *_lucky(ranked, groups)]
    settings = len({cell[1:] for cells in groups.values() for cell in cells})
    if settings > 1:
        said.append(
            f"Each loss is averaged over {settings} settings of learning rate, batch size and dropout."
        )
    return " ".join(said)


def what_is_measured(outcomes: Sequence[Outcome]) -> str:
    """Return ``test`` or ``validation``, or both where finished runs were measured on different splits."""
    splits = sorted({run.split for run in outcomes if run.finished})
    return " and ".join({"val": "validation"}.get(split, split) for split in splits)


def _sentence(ranked: Sequence[str], pairs: Sequence[Difference], split: str) -> str:
    leader = ranked[0]
    own = [pair for pair in pairs if leader in (pair.first, pair.second)]
    tested = [pair for pair in own if pair.n >= LEAST_SEEDS]
    if not tested:
        runner = own[0]
        if not runner.n:
            return f"{leader} has the best mean {split} Jaccard, but shares no finished run with {ranked[1]}."
        return (
            f"{runner.first} leads {runner.second} by {abs(runner.mean):.4f} in mean {split} Jaccard, "
            f"but fewer than {LEAST_SEEDS} seeds prove nothing."
        )
    better = [pair for pair in tested if pair.shown and pair.first == leader]
    worse = [pair for pair in tested if pair.shown and pair.second == leader]
    rest = [pair for pair in tested if not pair.shown]
    untested = _listed(_other(pair, leader) for pair in own if pair not in tested)
    unknown = f" Too few seeds are shared with {untested} to tell." if untested else ""
    if worse or not better:
        return _no_difference(tested, pairs, split) + unknown
    wins = _listed(f"{pair.second} (by {pair.mean:.4f}, p {_p(pair.p_corrected)})" for pair in better)
    said = f"{leader} is better than {wins} in mean {split} Jaccard over {_seeds(better)} seeds"
    if rest:
        said += f", but no difference is shown to {_listed(_against(pair, leader) for pair in rest)}"
    return f"{said}.{unknown}"


def _no_difference(own: Sequence[Difference], pairs: Sequence[Difference], split: str) -> str:
    nearest = own[0]
    shown = [pair for pair in pairs if pair.shown]
    said = (
        f"{'No best loss shown' if shown else 'No difference shown'}: {nearest.first} leads {nearest.second} "
        f"by {abs(nearest.mean):.4f} in mean {split} Jaccard over {nearest.n} seeds, "
        f"95 % interval {nearest.low:.4f} to {nearest.high:.4f}"
    )
    if shown:
        shown.sort(key=lambda pair: pair.p_corrected)
        wins = [f"{pair.first} over {pair.second} (p {_p(pair.p_corrected)})" for pair in shown[:MOST_NAMED]]
        wins += [f"{len(shown) - MOST_NAMED} more of {len(pairs)} pairs"] if len(shown) > MOST_NAMED else []
        return f"{said}; what is shown is {_listed(wins)}."
    return (
        f"{said}, and none of the {len(pairs)} pairs of losses is shown to differ."
        if len(pairs) > 1
        else f"{said}."
    )


def _lucky(ranked: Sequence[str], groups: Mapping[str, Mapping[Cell, float]]) -> list[str]:
    # A ranking by the best run rewards the loss with the widest spread, or the most runs.
    best = {name: max(groups[name].values()) for name in ranked}
    luckiest = max(ranked, key=lambda name: best[name])
    if best[luckiest] - best[ranked[0]] < LEAST_TOLD:
        return []
    return [
        f"By its best single run {luckiest} would lead ({best[luckiest]:.4f} against {best[ranked[0]]:.4f} "
        f"of {ranked[0]}): one lucky run, and the means say otherwise."
    ]


def _against(pair: Difference, leader: str) -> str:
    lead = pair.mean if pair.first == leader else -pair.mean
    low, high = (pair.low, pair.high) if pair.first == leader else (-pair.high, -pair.low)
    return f"{_other(pair, leader)} (by {lead:.4f}, 95 % interval {low:.4f} to {high:.4f})"


def _other(pair: Difference, name: str) -> str:
    return pair.second if pair.first == name else pair.first


def _seeds(pairs: Sequence[Difference]) -> str:
    least, most = min(pair.n for pair in pairs), max(pair.n for pair in pairs)
    return str(least) if least == most else f"{least} to {most}"


def _listed(words: Iterable[str]) -> str:
    *most, last = [*words] or [""]
    return f"{', '.join(most)} and {last}" if most else last


def _p(value: float) -> str:
    return "below 0.001" if value < 0.001 else f"{value:.3f}"


def _figure(runs: Sequence[Outcome], metric: Metric) -> Figure:
    values = [getattr(run, metric) for run in runs if run.finished]
    return figure(values, lower_is_better=metric in LOWER_IS_BETTER)


def _groups(outcomes: Sequence[Outcome], metric: Metric) -> dict[str, dict[Cell, float]]:
    """Return the finite values of each loss by cell; of a run that is given twice the last counts."""
    weighted = len({run.arm.weighting for run in outcomes}) > 1
    groups: dict[str, dict[Cell, float]] = {}
    for run in outcomes:
        arm, value = run.arm, getattr(run, metric)
        if run.finished and math.isfinite(value):
            name = f"{arm.loss} {arm.weighting}" if weighted else arm.loss
            groups.setdefault(name, {})[run.seed, arm.lr, arm.batch_size, arm.dropout] = value
    return groups


def _ranked(groups: Mapping[str, Mapping[Cell, float]], metric: Metric) -> list[str]:
    """Return the names with the best mean first; a tie keeps the order in which they came."""
    sign = 1 if metric in LOWER_IS_BETTER else -1
    return sorted(groups, key=lambda name: sign * float(np.mean(_of_seeds(groups[name]))))


def _of_seeds(values: Mapping[Cell, float]) -> list[float]:
    """Return the mean of each seed, seeds in order."""
    seeds = sorted({cell[0] for cell in values})
    return [float(np.mean([value for cell, value in values.items() if cell[0] == seed])) for seed in seeds]


def _pair(one: str, two: str, groups: Mapping[str, Mapping[Cell, float]], metric: Metric) -> Difference:
    first, second = groups[one], groups[two]
    shared = {cell: first[cell] - second[cell] for cell in first if cell in second}
    paired = np.array(_of_seeds(shared), dtype=np.float64)
    paired[np.abs(paired) < ROUNDING] = 0
    if paired.size and (paired.mean() > 0 if metric in LOWER_IS_BETTER else paired.mean() < 0):
        one, two, paired = two, one, -paired
    mean, sd, low, high = _interval(paired)
    return Difference(one, two, paired.size, mean, low, high, _p_of_t(mean, sd, paired.size), math.nan)


def _interval(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> tuple[float, float, float, float]:
    """Return mean, standard deviation, and the ends of the mean's 95 % t interval."""
    mean = float(values.mean()) if values.size else math.nan
    if values.size < 2:
        return mean, math.nan, math.nan, math.nan
    sd = float(values.std(ddof=1))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, values.size - 1)) * sd / math.sqrt(values.size)
    return mean, sd, mean - half, mean + half


def _p_of_t(mean: float, sd: float, n: int) -> float:
    """Return the two-sided p of a mean of paired differences against 0, defined for equal ones as well."""
    if n < 2:
        return math.nan
    if sd == 0:
        return 1.0 if mean == 0 else 0.0
    return float(2 * stats.t.sf(abs(mean) / (sd / math.sqrt(n)), n - 1))
