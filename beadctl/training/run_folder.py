"""The folder of a training run: checkpoints, history, facts and the learning curve."""

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

import beadctl
from beadctl.errors import ModelError, OutputError
from beadctl.files import write_csv, write_json
from beadctl.training import checkpoint, gradients
from beadctl.training.checkpoint import Checkpoint
from beadctl.training.curve import draw
from beadctl.training.records import EpochRecord

BEST, LAST = "best.pt", "last.pt"
HISTORY, FACTS, CURVE, GRADIENTS = "history.csv", "run.json", "learning_curve.png", "gradients.csv"


def now() -> str:
    """Return the time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class RunFolder:
    """Writes the files of a run.

    Parameters
    ----------
    path : Path
        The folder; created where it is missing.
    resume : bool
        Whether the folder must hold a run, or must not.
    writes : bool
        Whether this process writes the files; one of several does.

    Attributes
    ----------
    best, last : Path
        Checkpoints of the best epoch by the selected figure and of the last finished one.

    Raises
    ------
    OutputError
        If there is a run and `resume` is off.
    ModelError
        If there is none and `resume` is on.
    """

    def __init__(self, path: Path, *, resume: bool, writes: bool = True) -> None:
        self.path, self.writes = path, writes
        self.best, self.last = path / BEST, path / LAST
        held = [name for name in (LAST, BEST, HISTORY) if (path / name).exists()]
        if held and not resume:
            raise OutputError(
                f"{path}: already holds a run ({held[0]}); resume it with --resume, or choose another -o"
            )
        if resume and not (path / LAST).exists():
            raise ModelError(f"{path}: no {LAST} to resume from; start the run without --resume")

    def save(self, state: Checkpoint) -> None:
        """Write the state after an epoch, first the file from which a run is resumed."""
        if self.writes:
            checkpoint.save(state, self.last)
        self.complete(state)

    def complete(self, state: Checkpoint) -> None:
        """Write all that follows from ``last.pt``, which a killed run may lack."""
        if not self.writes:
            return
        if state.epoch == state.best_epoch:
            checkpoint.save(state, self.best)
        rows = [EpochRecord(**record).row() for record in state.history]
        write_csv(self.path / HISTORY, list(rows[0]), rows)
        if state.gradients:
            write_csv(self.path / GRADIENTS, gradients.COLUMNS, state.gradients, rounded=True)
        draw(state.history, self.path / CURVE)

    def describe(self, facts: Mapping[str, Any]) -> None:
        """Write ``run.json``: what was run, on what, and how it ended."""
        if not self.writes:
            return
        versions = {
            "beadctl": beadctl.__version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        }
        write_json(self.path / FACTS, {**facts, "versions": versions, "platform": platform.platform()})
