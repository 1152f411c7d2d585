"""A comparison as tables: CSV and JSON for programs, Markdown and text cells for people."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from beadctl.files import write_csv, write_json, write_text
from beadctl.study.outcome import Arm, Outcome, labels
from beadctl.study.statistics import LEAST_SEEDS, LIMITS, Difference, Estimate, differences, summarise
from beadctl.study.verdict import measured_on, p_text, verdict

ARM = tuple(field.name for field in fields(Arm))
MISSING = "-"


@dataclass(frozen=True)
class TextTable:
    """A table for people.

    Attributes
    ----------
    heading, note : str
        Title of the table, and how to read it.
    columns : tuple of str
        Headers of the columns.
    rows : sequence of tuple of str
        Cells.
    """

    heading: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    note: str = ""


def write(folder: Path, outcomes: Sequence[Outcome], settings: Mapping[str, object], title: str) -> None:
    """Write the tables of a comparison, and replace earlier ones.

    ``runs.csv``: one row for each run, with its arm, figures (nan where undefined) and reason of a failure.
    ``summary.csv``: one row for each arm, best first, ``jaccard_n``, ``jaccard_mean`` and so on.
    ``differences.csv``: one row for each metric and pair of losses, in the order of the losses' means.
    ``comparison.json``: verdict, shared settings, arms, pairs, and the runs with their tiles.
    ``comparison.md``: the verdict, and the tables of arms, pairs, failed runs and shared settings.

    Parameters
    ----------
    folder : Path
        The folder of the comparison.
    outcomes : sequence of Outcome
        All runs, failed ones too.
    settings : mapping of str to object
        Settings that all runs share, by name.
    title : str
        Heading of ``comparison.md``.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    content = [asdict(run) for run in outcomes]
    columns = [field.name for field in fields(Outcome) if field.name not in {"arm", "tiles"}]
    write_csv(folder / "runs.csv", (*ARM, *columns), [run | run["arm"] for run in content])

    summary, names = [asdict(row) for row in summarise(outcomes)], [field.name for field in fields(Estimate)]
    figures = {f"{metric}_{name}": (metric, name) for metric in LIMITS for name in names}
    rows = [row | row["arm"] | {key: row[of][name] for key, (of, name) in figures.items()} for row in summary]
    write_csv(folder / "summary.csv", (*ARM, "failed", *figures), rows)

    metrics = [metric for metric in LIMITS if metric != "val_jaccard"]
    rows = [{"metric": metric} | asdict(row) for metric in metrics for row in differences(outcomes, metric)]
    columns = ["metric", *(field.name for field in fields(Difference))]
    write_csv(folder / "differences.csv", columns, rows)

    facts = {
        "verdict": verdict(outcomes),
        "settings": dict(settings),
        "summary": summary,
        "differences": [asdict(row) for row in differences(outcomes)],
        "runs": content,
    }
    write_json(folder / "comparison.json", facts)

    parts = [f"# {_escaped(title)}", _escaped(verdict(outcomes))]
    for table in (arms(outcomes), pairs(outcomes), failures(outcomes), shared(settings)):
        if table.rows:
            lines = [table.columns, ["---"] * len(table.columns), *table.rows]
            body = "\n".join(f"| {' | '.join(map(_escaped, line))} |" for line in lines)
            parts += filter(None, (f"## {table.heading}", table.note, body))
    write_text(folder / "comparison.md", "\n\n".join(parts) + "\n")


def arms(outcomes: Sequence[Outcome]) -> TextTable:
    """Return the means of each arm, the best mean Jaccard first."""
    summaries, split = summarise(outcomes), measured_on(outcomes)
    names = labels([row.arm for row in summaries])
    rows = []
    for row in summaries:
        jaccard = row.jaccard
        spread = (_number(jaccard.mean), _number(jaccard.sd), _interval(jaccard), _number(jaccard.best))
        means = (_number(row.f1.mean), _percent(row.count_mape.mean), _number(row.val_jaccard.mean))
        rows.append((names[row.arm], str(jaccard.n), str(row.failed), *spread, *means))
    columns = ("arm", "runs", "failed", "Jaccard", "sd", "95 % interval", "best")
    note = f"Measured on the {split} tiles." if split else "No run finished."
    note += f" Means over the seeds, with the 95 % t interval of the mean from {LEAST_SEEDS} seeds on. "
    note += "Count error: mean absolute error as a share of the true count."
    return TextTable("Arms", (*columns, "F1@0.5", "count error", "val Jaccard"), rows, note)


def pairs(outcomes: Sequence[Outcome]) -> TextTable:
    """Return the paired tests of the Jaccard between losses."""
    rows = []
    for pair in differences(outcomes):
        ps = [MISSING if math.isnan(p) else p_text(p) for p in (pair.p, pair.p_corrected)]
        mean = _number(pair.mean, signed=True)
        rows.append((pair.first, pair.second, str(pair.n), mean, _interval(pair), *ps))
    columns = ("ahead", "of", "seeds", "difference", "95 % interval", "p", "p corrected")
    note = (
        "Difference of the Jaccard over the seeds that both losses have, averaged within a seed over learning"
        " rate, batch size and dropout; paired two-sided t test, Holm's correction for all pairs. "
        f"With fewer than {LEAST_SEEDS} seeds no difference counts as shown."
    )
    return TextTable("Pairs of losses", columns, rows, note)


def failures(outcomes: Sequence[Outcome]) -> TextTable:
    """Return the failed runs with their reasons."""
    names = labels([run.arm for run in outcomes])
    rows = [(names[run.arm], str(run.seed), run.reason) for run in outcomes if not run.finished]
    return TextTable("Failed runs", ("arm", "seed", "reason"), rows)


def runs(outcomes: Sequence[Outcome]) -> TextTable:
    """Return the figures of all finished runs."""
    names = labels([run.arm for run in outcomes])
    rows = []
    for run in (run for run in outcomes if run.finished):
        scores = (_number(run.jaccard), _number(run.dice), _number(run.f1), _number(run.count_mae, digits=2))
        shares = (_percent(run.count_mape), _percent(run.count_bias, signed=True))
        training = (_number(run.val_jaccard), str(run.epoch), str(run.epochs), f"{run.seconds / 60:.1f}")
        figures = (*scores, *shares, *training, run.stopped, run.device)
        rows.append((names[run.arm], str(run.seed), run.folder, *figures))
    heads = ("Jaccard", "Dice", "F1@0.5", "count MAE", "count error", "count bias", "val Jaccard")
    columns = ("arm", "seed", "folder", *heads, "epoch", "of", "minutes", "ended", "device")
    return TextTable("All finished runs", columns, rows)


def shared(settings: Mapping[str, object]) -> TextTable:
    """Return the settings that all runs share, by name."""
    rows = [(name, MISSING if value is None else str(value)) for name, value in settings.items()]
    return TextTable("Shared settings", ("setting", "value"), rows)


def _number(value: float, *, digits: int = 4, signed: bool = False) -> str:
    return MISSING if math.isnan(value) else f"{value:{'+' if signed else ''}.{digits}f}"


def _percent(value: float, *, signed: bool = False) -> str:
    return MISSING if math.isnan(value) else f"{100 * value:{'+' if signed else ''}.1f} %"


def _interval(of: Estimate | Difference) -> str:
    return MISSING if math.isnan(of.low) else f"{of.low:.4f} to {of.high:.4f}"


def _escaped(text: str) -> str:
    """Keep a text from ending its cell or row, and from being read as markup."""
    for sign in ("\\", "|", "<", "`", "*", "_"):
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())
