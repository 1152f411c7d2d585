"""What a run wrote while it went on, as columns of numbers, and several runs of an arm over their epochs."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HISTORY, GRADIENTS = "history.csv", "gradients.csv"

Columns = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Curve:
    """A quantity over the epochs of several runs.

    Attributes
    ----------
    epochs : array of float
        In order, shape (E,).
    mean, low, high : array of float
        Over the runs that have the epoch; `low` and `high` are the least and the greatest.
    runs : array of int
        How many these are. Where runs end early the mean goes on over those that are left, which are
        no fair sample.
    """

    epochs: NDArray[np.float64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    runs: NDArray[np.int64]

    @property
    def complete(self) -> NDArray[np.float64]:
        """The mean where all runs have the epoch, and nan elsewhere."""
        return np.where(self.runs == self.runs.max(), self.mean, np.nan)


def read(path: Path) -> dict[str, NDArray[np.float64]]:
    """Return the columns of a run's CSV; what is not a number is nan.

    A file that is missing, empty or damaged gives no columns: a picture that lacks a line is worth more than
    no report.
    """
    return _columns(_records(path))


def read_by_loss(path: Path) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Return the columns of a ``gradients.csv`` for each loss in it, as `read` does."""
    records = _records(path)
    names = dict.fromkeys(record["loss"] for record in records if record.get("loss"))
    return {name: _columns([record for record in records if record["loss"] == name]) for name in names}


def curve(runs: Sequence[Columns], name: str) -> Curve | None:
    """Return column `name` over the epochs of several runs, or None if no run has a number there."""
    values: dict[float, list[float]] = {}
    for columns in runs:
        if "epoch" in columns and name in columns:
            for epoch, value in zip(columns["epoch"], columns[name], strict=True):
                if math.isfinite(epoch) and math.isfinite(value):
                    values.setdefault(float(epoch), []).append(float(value))
    if not values:
        return None
    epochs = sorted(values)
    found = [values[epoch] for epoch in epochs]
    return Curve(
        np.array(epochs),
        np.array([np.mean(one) for one in found]),
        np.array([min(one) for one in found]),
        np.array([max(one) for one in found]),
        np.array([len(one) for one in found]),
    )


def _records(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [record for record in csv.DictReader(file) if None not in record]
    except (OSError, ValueError, csv.Error):
        return []


def _columns(records: Sequence[Mapping[str, str]]) -> dict[str, NDArray[np.float64]]:
    names = list(records[0]) if records else []
    return {name: np.array([_number(record[name]) for record in records]) for name in names}


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan
