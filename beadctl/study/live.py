"""The progress of a comparison: a table of the arms on a terminal, a line for each trial in a log."""

import statistics
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from beadctl import console
from beadctl.study.grid import Trial
from beadctl.study.outcome import Arm, Outcome, labels
from beadctl.training.records import EpochRecord, StepRecord


class ComparisonProgress:
    """Shows the trials of a comparison.

    Parameters
    ----------
    trials : sequence of Trial
        All trials of this call.
    kept : sequence of Outcome
        Outcomes that earlier calls left.
    verbosity : int
        Below 0 nothing is shown.
    """

    def __init__(self, trials: Sequence[Trial], kept: Sequence[Outcome], verbosity: int) -> None:
        self._trials = trials
        self._names = labels(list(dict.fromkeys(trial.arm for trial in trials)))
        self._quiet = verbosity < 0
        self._done = {outcome.folder: outcome for outcome in kept}
        self._durations: list[float] = []
        self._trial: Trial | None = None
        self._began, self._position, self._best = 0.0, "", 0.0
        self._terminal = console.stderr().is_terminal and not self._quiet

    def live(self) -> AbstractContextManager[object]:
        """Return a context in which the table is shown on a terminal."""
        if not self._terminal:
            return nullcontext()
        return Live(get_renderable=self._picture, console=console.stderr(), refresh_per_second=2)

    def start(self, trial: Trial) -> None:
        """Take the beginning of a trial."""
        self._trial, self._began, self._best = trial, time.monotonic(), 0.0
        self._position = f"epoch 0 of {trial.plan.epochs}"

    def epoch(self, record: EpochRecord) -> None:
        """Take a finished epoch of the trial."""
        self._best = max(self._best, record.val_jaccard)

    def step(self, record: StepRecord) -> None:
        """Take a finished optimiser step of the trial."""
        assert self._trial is not None
        epochs = self._trial.plan.epochs
        self._position = f"epoch {record.epoch} of {epochs}, step {record.step} of {record.steps}"

    def finish(self, outcome: Outcome) -> None:
        """Take the outcome of the trial."""
        self._durations.append(time.monotonic() - self._began)
        self._done[outcome.folder] = outcome
        self._trial = None
        if not self._terminal and not self._quiet:
            figures = f"{outcome.split} Jaccard {outcome.jaccard:.4f}  F1@0.5 {outcome.f1:.4f}"
            line = (
                f"{len(self._done)}/{len(self._trials)}  {self._names[outcome.arm]}, seed {outcome.seed}  "
                f"{f'failed: {outcome.reason}' if outcome.reason else figures}  "
                f"{self._durations[-1]:.0f} s  left {self._left()}"
            )
            console.stderr().print(line, highlight=False, soft_wrap=True)

    def _left(self) -> str:
        """Return the time that is left, by the mean of the trials of this call so far."""
        if not self._durations:
            return "?"
        mean = statistics.fmean(self._durations)
        spent = min(time.monotonic() - self._began, mean) if self._trial else 0.0
        return console.duration(mean * (len(self._trials) - len(self._done)) - spent)

    def _picture(self) -> Group:
        table = Table("", "done", "Jaccard", "F1@0.5", "count error", "failed", box=SIMPLE_HEAD)
        for column in table.columns[1:]:
            column.justify, column.no_wrap = "right", True
        for arm, name in self._names.items():
            # Text, not markup: a name in square brackets would be read as a style.
            table.add_row(Text(name), *self._cells(arm))
        status = f"{len(self._done)} of {len(self._trials)} trials, left {self._left()}"
        if self._trial:
            status += f"\n{self._names[self._trial.arm]}, seed {self._trial.seed}: {self._position}"
            status += f", best validation Jaccard {self._best:.4f}" if self._best else ""
        return Group(table, Text(status))

    def _cells(self, arm: Arm) -> tuple[str, ...]:
        done = [outcome for outcome in self._done.values() if outcome.arm == arm]
        finished = [outcome for outcome in done if outcome.finished]
        figures = (
            f"{statistics.fmean(getattr(outcome, metric) for outcome in finished):.4f}" if finished else ""
            for metric in ("jaccard", "f1", "count_mape")
        )
        wanted = sum(trial.arm == arm for trial in self._trials)
        return f"{len(done)}/{wanted}", *figures, str(len(done) - len(finished) or "")
