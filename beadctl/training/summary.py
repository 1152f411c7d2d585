"""The learning curve of a run as a table in the terminal: first, best and last epoch, and the way between."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from beadctl.console import Messages, stderr
from beadctl.training.run_folder import HISTORY

# Columns of ``history.csv``, and their names for people.
FIGURES = {
    "train_loss": "training loss",
    "val_f1": "F1@0.5",
    "val_jaccard": "Jaccard",
    "count_mape": "count error",
}
BLOCKS = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
# Of a curve in a terminal of 80 columns, beside four columns of words and figures.
CURVE_CHARACTERS = 30


def show(run: Path, messages: Messages) -> None:
    """Print the learning curve of the run in a folder; without the curves where that is not a terminal."""
    with (run / HISTORY).open(newline="", encoding="utf-8") as file:
        history = list(csv.DictReader(file))
    console = stderr()
    drawn = console.is_terminal and not console.options.ascii_only
    columns = ("", "first", "best epoch", "last", *["learning curve"] * drawn)
    messages.table("", columns, [row if drawn else row[:-1] for row in rows(history)])


def rows(history: Sequence[Mapping[str, str]]) -> list[tuple[str, ...]]:
    """Return a row for each of `FIGURES`: name, first, best and last epoch, and the curve.

    Parameters
    ----------
    history : sequence of mapping
        Rows of ``history.csv``, at least one.
    """
    best = max(place for place, row in enumerate(history) if row["best"] == "True")
    found = []
    for column, name in FIGURES.items():
        values = [float(row[column]) for row in history]
        shown = (values[0], values[best], values[-1])
        found.append((name, *(f"{value:.3f}" for value in shown), curve(values)))
    return found


def curve(values: Sequence[float], characters: int = CURVE_CHARACTERS) -> str:
    """Return values as blocks of eight heights, from the least to the largest; means where they are many.

    Examples
    --------
    >>> curve([0.0, 1.0, 0.5])
    '\u2581\u2588\u2585'
    >>> len(curve(range(1000)))
    30
    """
    parts = np.array_split(np.asarray(values, np.float64), min(characters, len(values)))
    means = np.array([part.mean() for part in parts])
    low, high = means.min(), means.max()
    share = (means - low) / (high - low) if high > low else np.zeros(len(means))
    return "".join(BLOCKS[level] for level in np.floor(share * (len(BLOCKS) - 1) + 0.5).astype(int))
