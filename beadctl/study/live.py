"""The progress of a comparison: a line an arm, the trial of the moment, and when it will all be done."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from beadctl import console
from beadctl.study.grid import Run
from beadctl.study.outcome import Arm, Outcome, labels


@dataclass(frozen=True)
class TrialProgress:
    """Where the trial of the moment is: epoch and step of how many, and its best validation Jaccard."""

    epoch: int
    epochs: int
    jaccard: float | None = None
    step: int = 0
    steps: int = 1


class Progress:
    """Shows a comparison on a terminal, and a line for every trial in a log.

    Parameters
    ----------
    runs : sequence of Run
        All runs of this call.
    verbosity : int
        Below 0 nothing is shown.
    clock : callable
        Seconds from some moment on.
    """

    def __init__(
        self, runs: Sequence[Run], verbosity: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._runs, self._clock = runs, clock
        self._names = labels(list(dict.fromkeys(run.arm for run in runs)))
        self._quiet = verbosity < 0
        self._done: dict[str, Outcome] = {}
        self._seconds: list[float] = []
        self._now: tuple[Run, float, TrialProgress] | None = None
        terminal = console.stderr().is_terminal and not self._quiet
        self._live = (
            Live(get_renderable=self._picture, console=console.stderr(), refresh_per_second=2)
            if terminal
            else None
        )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def kept(self, outcome: Outcome) -> None:
        """Take an outcome that an earlier call left."""
        self._done[outcome.folder] = outcome

    def start(self, run: Run, epochs: int) -> None:
        """Take the beginning of a trial of so many epochs."""
        self._now = (run, self._clock(), TrialProgress(0, epochs))

    def at(self, moment: TrialProgress) -> None:
        """Take where the trial is."""
        assert self._now is not None
        self._now = (*self._now[:2], moment)

    @property
    def moment(self) -> TrialProgress:
        """Where the trial is."""
        assert self._now is not None
        return self._now[2]

    def finish(self, outcome: Outcome) -> None:
        """Take the outcome of the trial."""
        assert self._now is not None
        run, began, _ = self._now
        self._seconds.append(self._clock() - began)
        self._done[outcome.folder] = outcome
        self._now = None
        if not self._live and not self._quiet:
            figures = f"{outcome.split} Jaccard {outcome.jaccard:.4f}  F1@0.5 {outcome.f1:.4f}"
            told = f"failed: {outcome.reason}" if outcome.reason else figures
            line = f"{len(self._done)}/{len(self._runs)}  {self._names[run.arm]}, seed {run.seed}  {told}"
            console.stderr().print(
                f"{line}  {self._seconds[-1]:.0f} s  left {self.left()}", highlight=False, soft_wrap=True
            )

    def left(self) -> str:
        """Return the time that is left, ``h:mm:ss``, by the mean of the trials of this call so far."""
        if not self._seconds:
            return "?"
        mean = statistics.fmean(self._seconds)
        begun = min(self._clock() - self._now[1], mean) if self._now else 0.0
        seconds = int(max(0.0, mean * (len(self._runs) - len(self._done)) - begun))
        return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"

    def _picture(self) -> Group:
        table = Table("", "done", "Jaccard", "F1@0.5", "count error", "failed", box=SIMPLE_HEAD)
        for column in table.columns[1:]:
            column.justify = "right"
        for arm, name in self._names.items():
            table.add_row(name, *self._cells(arm))
        words = f"{len(self._done)} of {len(self._runs)} trials, left {self.left()}"
        if self._now:
            run, _, moment = self._now
            # Text, not markup: a name in square brackets is no style.
            words += (
                f"\n{self._names[run.arm]}, seed {run.seed}: epoch {moment.epoch} of {moment.epochs}, "
                f"step {moment.step} of {moment.steps}"
            )
            words += "" if moment.jaccard is None else f", best validation Jaccard {moment.jaccard:.4f}"
        return Group(table, Text(words))

    def _cells(self, arm: Arm) -> tuple[str, ...]:
        mine = [one for one in self._done.values() if one.arm == arm]
        good = [one for one in mine if one.finished]
        wanted = sum(run.arm == arm for run in self._runs)

        def mean(values: Sequence[float]) -> str:
            return f"{statistics.fmean(values):.4f}" if values else ""

        return (
            f"{len(mine)}/{wanted}",
            mean([one.jaccard for one in good]),
            mean([one.f1 for one in good]),
            mean([one.count_mape for one in good]),
            str(len(mine) - len(good) or ""),
        )
