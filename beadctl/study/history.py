"""Values of the runs over their epochs, and their means over the runs of an arm."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from beadctl.study.outcome import Arm, Outcome

HISTORY, GRADIENTS = "history.csv", "gradients.csv"
SHARES = ("share_boundary", "share_interior", "share_background")
# Weight of the marker map's loss, today and in files of version 0.1.
MARKER_WEIGHTS = {"weight_marker", "weight_seed"}
# Smaller changes of a mean are rounding errors.
CONSTANT = 1e-9

Columns = Mapping[str, NDArray[np.float64]]
Curves = dict[str, "Curve"]


@dataclass(frozen=True)
class Curve:
    """A quantity over the epochs of several runs.

    Attributes
    ----------
    epochs : array of float, shape (E,)
        In order.
    mean, low, high : array of float, shape (E,)
        Mean, least and greatest value of the runs that have the epoch.
    runs : array of int, shape (E,)
        Number of runs that have the epoch. Runs that end early bias the mean of the later epochs.
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
    """Return the columns of a CSV file of a run, float (rows,); cells that are no numbers are nan.

    Parameters
    ----------
    path : Path
        The file. One that is missing, empty or damaged has no columns, so that the report is still made.
    """
    return _columns(_records(path))


def curve(runs: Sequence[Columns], name: str) -> Curve | None:
    """Return the column `name` over the epochs of several runs; None if no run has a finite value.

    Parameters
    ----------
    runs : sequence of mapping
        Columns of each run, as `read` returns them.
    name : str
        The column.
    """
    values: dict[float, list[float]] = {}
    for columns in runs:
        if "epoch" in columns and name in columns:
            for epoch, value in zip(columns["epoch"], columns[name], strict=True):
                if math.isfinite(epoch) and math.isfinite(value):
                    values.setdefault(float(epoch), []).append(float(value))
    if not values:
        return None
    epochs = sorted(values)
    mean, low, high, runs_with = (
        np.array([statistic(values[epoch]) for epoch in epochs]) for statistic in (np.mean, min, max, len)
    )
    return Curve(np.array(epochs), mean, low, high, runs_with)


def term_weights(runs: Mapping[Arm, Sequence[Columns]], names: Mapping[Arm, str]) -> dict[str, Curves]:
    """Return the weights of the loss's terms over the epochs by arm and column, for arms with several terms.

    Constant weights are given once for each loss.

    Parameters
    ----------
    runs : mapping of Arm to sequence of mapping
        Histories of each arm.
    names : mapping of Arm to str
        Name of each arm.
    """
    found: dict[str, Curves] = {}
    for arm, histories in runs.items():
        own = dict.fromkeys(name for columns in histories for name in columns if name.startswith("weight_"))
        weights = {name: line for name in own if (line := curve(histories, name))}
        if any(np.ptp(line.mean) > CONSTANT for line in weights.values()):
            found[names[arm]] = weights
        elif len(weights.keys() - MARKER_WEIGHTS) > 1:
            found[f"{arm.loss}, constant"] = weights
    return found


def gradient_shares(outcomes: Sequence[Outcome], folder: Path) -> dict[str, Curves]:
    """Return the shares of each loss's gradient at boundary, interior and background, by title and column.

    They are of the runs that were trained with the loss, or of all runs if none was.

    Parameters
    ----------
    outcomes : sequence of Outcome
        All runs.
    folder : Path
        The folder of the comparison.
    """
    audits: dict[str, list[Columns]] = {}
    own: dict[str, list[Columns]] = {}
    for run in outcomes:
        records = _records(folder / run.folder / GRADIENTS)
        for loss in dict.fromkeys(record["loss"] for record in records if record.get("loss")):
            columns = _columns([record for record in records if record["loss"] == loss])
            audits.setdefault(loss, []).append(columns)
            if loss == run.arm.loss:
                own.setdefault(loss, []).append(columns)
    found: dict[str, Curves] = {}
    for loss, audit in audits.items():
        shares = {name: line for name in SHARES if (line := curve(own.get(loss, audit), name))}
        if len(shares) == len(SHARES):
            found[f"{loss}, {'its own runs' if loss in own else 'all runs'}"] = shares
    return found


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
