"""A comparison as tables: CSV and JSON for programs, Markdown and plain cells for people."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path

from beadctl.files import write_csv, write_json, write_text
from beadctl.study.outcome import Arm, Outcome, labels
from beadctl.study.statistics import (
    LEAST_SEEDS,
    Difference,
    Figure,
    Summary,
    differences,
    summarise,
    verdict,
    what_is_measured,
)

ARM = tuple(field.name for field in fields(Arm))
RUN = tuple(field.name for field in fields(Outcome) if field.name not in {"arm", "tiles"})
FIGURES = ("jaccard", "f1", "count_mape", "val_jaccard")
FIGURE = tuple(field.name for field in fields(Figure))
DIFFERENCE = tuple(field.name for field in fields(Difference))

SUMMARY_HEADINGS = (
    "arm",
    "runs",
    "failed",
    "Jaccard",
    "sd",
    "95 % interval",
    "best",
    "F1@0.5",
    "count error",
    "val Jaccard",
)
DIFFERENCE_HEADINGS = ("ahead", "of", "seeds", "difference", "95 % interval", "p", "p corrected")
RUN_HEADINGS = (
    "arm",
    "seed",
    "folder",
    "Jaccard",
    "Dice",
    "F1@0.5",
    "count MAE",
    "count error",
    "count bias",
    "val Jaccard",
    "epoch",
    "of",
    "minutes",
    "ended",
    "device",
)
NOTHING = "-"

EXPLAINED = (
    "Means over the seeds, with the 95 % t interval of the mean. Count error: mean absolute error "
    "as a share of the true count."
)
PAIRS_EXPLAINED = (
    "Difference of the Jaccard over the seeds that both losses have, learning rate, batch size and dropout "
    "averaged within a seed; paired two-sided t test, Holm's correction for all pairs. "
    f"Fewer than {LEAST_SEEDS} seeds prove nothing, whatever their p."
)

Rows = list[tuple[str, ...]]


def write_runs_csv(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Write one row a run: its arm, its figures (nan where there is none), and why it failed."""
    rows = [{**asdict(run.arm), **{name: getattr(run, name) for name in RUN}} for run in outcomes]
    write_csv(path, (*ARM, *RUN), rows)


def write_summary_csv(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Write one row an arm, best first: ``failed``, ``jaccard_n``, ``jaccard_mean`` and so on."""
    columns = [f"{metric}_{name}" for metric in FIGURES for name in FIGURE]
    rows = [
        {**asdict(row.arm), "failed": row.failed}
        | {f"{name}_{key}": value for name in FIGURES for key, value in asdict(getattr(row, name)).items()}
        for row in summarise(outcomes)
    ]
    write_csv(path, (*ARM, "failed", *columns), rows)


def write_differences_csv(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Write one row a pair of losses and metric, the pairs in the order of the losses' means."""
    rows = [
        {"metric": metric, **asdict(row)}
        for metric in ("jaccard", "f1", "count_mape")
        for row in differences(outcomes, metric)
    ]
    write_csv(path, ("metric", *DIFFERENCE), rows)


def write_report_json(path: Path, outcomes: Sequence[Outcome], settings: Mapping[str, object]) -> None:
    """Write everything as strict JSON: settings, verdict, arms, pairs, and the runs with their tiles."""
    content = {
        "verdict": verdict(outcomes),
        "settings": dict(settings),
        "summary": [asdict(row) for row in summarise(outcomes)],
        "differences": [asdict(row) for row in differences(outcomes)],
        "runs": [asdict(run) for run in outcomes],
    }
    write_json(path, content)


def write_markdown(
    path: Path, outcomes: Sequence[Outcome], settings: Mapping[str, object], title: str
) -> None:
    """Write verdict, settings, and the tables of arms, pairs and failed runs as Markdown."""
    names, split = labels([run.arm for run in outcomes]), what_is_measured(outcomes)
    parts = [f"# {_cell(title)}", _cell(verdict(outcomes))]
    parts += ["## Arms", f"{_measured(split)} {EXPLAINED}", _table(SUMMARY_HEADINGS, rows(outcomes))]
    if pairs := difference_rows(differences(outcomes)):
        parts += ["## Pairs of losses", PAIRS_EXPLAINED, _table(DIFFERENCE_HEADINGS, pairs)]
    if failed := [(names[run.arm], str(run.seed), run.reason) for run in outcomes if not run.finished]:
        parts += ["## Failed runs", _table(("arm", "seed", "why"), failed)]
    if settings:
        parts += ["## The same for all", _table(("setting", "value"), setting_rows(settings))]
    write_text(path, "\n\n".join(parts) + "\n")


def rows(outcomes: Sequence[Outcome]) -> Rows:
    """Return the table of arms under `SUMMARY_HEADINGS`, the best mean Jaccard first."""
    summaries = summarise(outcomes)
    names = labels([row.arm for row in summaries])
    return [_summary_row(names[row.arm], row) for row in summaries]


def difference_rows(pairs: Sequence[Difference]) -> Rows:
    """Return the table of pairs under `DIFFERENCE_HEADINGS`."""
    return [
        (
            pair.first,
            pair.second,
            str(pair.n),
            number(pair.mean, signed=True),
            interval(pair.low, pair.high),
            probability(pair.p),
            probability(pair.p_corrected),
        )
        for pair in pairs
    ]


def run_rows(outcomes: Sequence[Outcome]) -> Rows:
    """Return the table of finished runs under `RUN_HEADINGS`."""
    names = labels([run.arm for run in outcomes])
    return [
        (
            names[run.arm],
            str(run.seed),
            run.folder,
            number(run.jaccard),
            number(run.dice),
            number(run.f1),
            number(run.count_mae, digits=2),
            percent(run.count_mape),
            percent(run.count_bias, signed=True),
            number(run.val_jaccard),
            str(run.epoch),
            str(run.epochs),
            f"{run.seconds / 60:.1f}",
            run.stopped,
            run.device,
        )
        for run in outcomes
        if run.finished
    ]


def setting_rows(settings: Mapping[str, object]) -> Rows:
    """Return settings as cells."""
    return [(name, NOTHING if value is None else str(value)) for name, value in settings.items()]


def number(value: float, *, digits: int = 4, signed: bool = False) -> str:
    """Return a figure as a cell; one that does not exist is a dash."""
    return NOTHING if math.isnan(value) else f"{value:{'+' if signed else ''}.{digits}f}"


def percent(value: float, *, signed: bool = False) -> str:
    """Return a share as a cell, in percent."""
    return NOTHING if math.isnan(value) else f"{100 * value:{'+' if signed else ''}.1f} %"


def interval(low: float, high: float) -> str:
    """Return the ends of an interval as a cell."""
    return NOTHING if math.isnan(low) else f"{low:.4f} to {high:.4f}"


def probability(value: float) -> str:
    """Return a p value as a cell."""
    if math.isnan(value):
        return NOTHING
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"


def _summary_row(name: str, row: Summary) -> tuple[str, ...]:
    return (
        name,
        str(row.jaccard.n),
        str(row.failed),
        number(row.jaccard.mean),
        number(row.jaccard.sd),
        interval(row.jaccard.low, row.jaccard.high),
        number(row.jaccard.best),
        number(row.f1.mean),
        percent(row.count_mape.mean),
        number(row.val_jaccard.mean),
    )


def _measured(split: str) -> str:
    return f"Measured on the {split} tiles." if split else "No run finished."


def _table(headings: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *body]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    """Keep a text from ending its cell, its row, or being read as markup."""
    for sign in ("\\", "|", "<", "`", "*", "_"):
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())
