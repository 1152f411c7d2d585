"""The live table of a run, an epoch a line, and the progress of the epoch; plain lines in a log file."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from beadctl import console

if TYPE_CHECKING:
    from beadctl.training.plan import TrainingPlan
    from beadctl.training.records import EpochRecord, StepRecord

SHOWN_EPOCHS = 15


class EpochTable:
    """Shows epochs and steps of a plan on a terminal or as lines; nothing where verbosity is below 0."""

    def __init__(self, plan: TrainingPlan, verbosity: int) -> None:
        self._plan, self._quiet = plan, verbosity < 0
        self._rows: list[dict[str, str]] = []
        self._started = time.monotonic()
        self._progress = Progress(
            TextColumn("epoch {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}"),
        )
        self._task = self._progress.add_task("1", total=None, loss="")
        self.live = (
            Live(self._picture(), console=console.stderr(), refresh_per_second=4)
            if console.stderr().is_terminal and not self._quiet
            else None
        )

    def epoch(self, record: EpochRecord) -> None:
        """Show a finished epoch."""
        console.event("epoch", **record.row())
        # Most important first: a narrow terminal shows as many columns as fit.
        row = {
            "epoch": f"{record.epoch}{'*' if record.best else ''}",
            "loss": f"{record.train_loss:.4f}",
            "Jaccard": f"{record.val_jaccard:.4f}",
            "F1@0.5": f"{record.val_f1:.4f}",
            "count MAE": f"{record.count_mae:.2f}",
            "count bias": f"{record.count_bias:+.3f}",
            "left": self._left(record.epoch),
            "lr": f"{record.lr:.1e}",
            "images/s": f"{record.images_per_s:.1f}",
            "mask": f"{record.mask_loss:.4f}",
            "marker": f"{record.marker_loss:.4f}",
        }
        self._rows.append(row)
        if self.live:
            self.live.update(self._picture())
        elif not self._quiet:
            line = "  ".join(f"{name} {value}" for name, value in row.items())
            console.stderr().print(line, highlight=False, soft_wrap=True)

    def step(self, record: StepRecord) -> None:
        """Show a finished step."""
        self._progress.update(
            self._task,
            description=str(record.epoch),
            completed=record.step,
            total=record.steps,
            loss=f"{record.loss:.4f}",
        )

    def _left(self, epoch: int) -> str:
        # The epochs of earlier sessions are assumed to have taken as long as those of this one.
        each = (time.monotonic() - self._started) / (len(self._rows) + 1)
        seconds = each * (self._plan.epochs - epoch)
        if self._plan.max_minutes:
            seconds = min(seconds, max(0.0, self._plan.max_minutes * 60 - each * epoch))
        return console.duration(seconds)

    def _picture(self) -> Group:
        rows = self._rows[-SHOWN_EPOCHS:]
        table = Table(box=SIMPLE_HEAD)
        names = list(rows[0]) if rows else []
        cells = [list(row.values()) for row in rows]
        fitting = console.columns_that_fit(names, cells, console.stderr().width)
        for name in names[:fitting]:
            table.add_column(name, justify="right", no_wrap=True)
        for row in cells:
            table.add_row(*row[:fitting])
        return Group(table, self._progress)


@contextmanager
def table(plan: TrainingPlan, verbosity: int) -> Iterator[EpochTable]:
    """Show a run while the block lasts; parameters are those of `EpochTable`."""
    shown = EpochTable(plan, verbosity)
    with shown.live or nullcontext():
        yield shown
