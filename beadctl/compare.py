"""Losses against each other: the same tiles, the same budget, several seeds, one row a loss."""

import csv
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from beadctl.files import atomic
from beadctl.losses import Loss


@dataclass(frozen=True)
class Outcome:
    """One run: the best validation Jaccard it reached, or why it has none.

    Attributes
    ----------
    loss, seed
        What was run.
    jaccard, count_mae : float
        Of its best epoch; nan for a failed run.
    epoch : int
        That epoch.
    reason : str
        Why the run failed.
    """

    loss: str
    seed: int
    jaccard: float = math.nan
    count_mae: float = math.nan
    epoch: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Summary:
    """A loss over its seeds: ``sd`` is that of the sample, nan for a single run."""

    loss: str
    n: int
    mean: float
    best: float
    sd: float
    count_mae: float
    failed: int


def summarise(outcomes: Sequence[Outcome], losses: Sequence[Loss]) -> list[Summary]:
    """Return one summary a loss, the best mean Jaccard first."""
    rows = []
    for loss in losses:
        runs = [run for run in outcomes if run.loss == loss.value]
        good = [run.jaccard for run in runs if not run.reason]
        rows.append(
            Summary(
                loss.value,
                len(good),
                statistics.fmean(good) if good else math.nan,
                max(good, default=math.nan),
                statistics.stdev(good) if len(good) > 1 else math.nan,
                statistics.fmean([run.count_mae for run in runs if not run.reason]) if good else math.nan,
                len(runs) - len(good),
            )
        )
    return sorted(rows, key=lambda row: -row.mean if row.n else math.inf)


def verdict(rows: Sequence[Summary]) -> str:
    """Say in a sentence what the table allows to say."""
    ranked = [row for row in rows if row.n]
    if len(ranked) < 2:
        return "nothing to compare: fewer than two losses finished a run"
    first, second = ranked[0], ranked[1]
    if first.n < 3 or second.n < 3:
        lead = first.mean - second.mean
        return f"{first.loss} leads {second.loss} by {lead:.4f}, but fewer than 3 seeds prove nothing"
    # Welch's standard error of a difference of means; two of them is about a 95 % interval.
    error = math.sqrt(first.sd**2 / first.n + second.sd**2 / second.n)
    if first.mean - second.mean > 2 * error:
        return (
            f"{first.loss} is better than {second.loss} by {first.mean - second.mean:.4f} +- {2 * error:.4f}"
        )
    return (
        f"no difference shown: {first.loss} leads {second.loss} by {first.mean - second.mean:.4f}, "
        f"within +- {2 * error:.4f}"
    )


def write(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Write every run as a row of CSV."""
    names = [field.name for field in fields(Outcome)]
    with atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([getattr(run, name) for name in names] for run in outcomes)
