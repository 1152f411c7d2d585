"""The live table of a run: an epoch a line, and where the present one is; plain lines in a log file."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
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

COLUMNS = (
    "epoch",
    "loss",
    "mask",
    "seed",
    "Jaccard",
    "F1@0.5",
    "count MAE",
    "count bias",
    "lr",
    "images/s",
    "left",
)
SHOWN_EPOCHS = 15


class Shown:
    """Takes epochs and steps, and shows them on a terminal or as lines."""

    def __init__(self, plan: "TrainingPlan", verbosity: int) -> None:
        self._plan = plan
        self._quiet = verbosity < 0
        self._rows: list[tuple[str, ...]] = []
        self._started = time.monotonic()
        self._done = 0
        self._terminal = console.stderr().is_terminal and not self._quiet
        self._progress = Progress(
            TextColumn("epoch {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}"),
        )
        self._task = self._progress.add_task("1", total=None, loss="")
        self._live = (
            Live(self._picture(), console=console.stderr(), refresh_per_second=4) if self._terminal else None
        )

    def epoch(self, record: "EpochRecord") -> None:
        """Take a finished epoch."""
        self._done += 1
        row = (
            f"{record.epoch}{'*' if record.best else ''}",
            f"{record.train_loss:.4f}",
            f"{record.mask_loss:.4f}",
            f"{record.marker_loss:.4f}",
            f"{record.val_jaccard:.4f}",
            f"{record.val_f1:.4f}",
            f"{record.count_mae:.2f}",
            f"{record.count_bias:+.3f}",
            f"{record.lr:.1e}",
            f"{record.images_per_s:.1f}",
            self._left(record.epoch),
        )
        self._rows.append(row)
        if self._live:
            self._live.update(self._picture())
        elif not self._quiet:
            words = zip(COLUMNS, row, strict=True)
            console.stderr().print(
                "  ".join(f"{name} {value}" for name, value in words), highlight=False, soft_wrap=True
            )

    def step(self, record: "StepRecord") -> None:
        """Take a finished step."""
        self._progress.update(
            self._task,
            description=str(record.epoch),
            completed=record.step,
            total=record.steps,
            loss=f"{record.loss:.4f}",
        )

    def _left(self, epoch: int) -> str:
        # Epochs of earlier sessions took about as long as those of this one.
        each = (time.monotonic() - self._started) / self._done
        seconds = each * (self._plan.epochs - epoch)
        if self._plan.max_minutes:
            seconds = min(seconds, max(0.0, self._plan.max_minutes * 60 - each * epoch))
        return console.duration(seconds)

    def _picture(self) -> Group:
        table = Table(*COLUMNS, box=SIMPLE_HEAD)
        for column in table.columns:
            column.justify = "right"
        for row in self._rows[-SHOWN_EPOCHS:]:
            table.add_row(*row)
        return Group(table, self._progress)


@contextmanager
def table(plan: "TrainingPlan", verbosity: int) -> Iterator[Shown]:
    """Show a run while the block lasts.

    Parameters
    ----------
    plan : TrainingPlan
        Of the run.
    verbosity : int
        Below 0 nothing is shown.
    """
    shown = Shown(plan, verbosity)
    if shown._live is None:
        yield shown
        return
    with shown._live:
        yield shown
