"""The epochs and steps of a run as event files, which TensorBoard shows while it trains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from beadctl.training.records import EpochRecord, StepRecord

FOLDER = "tensorboard"
# Groups of the page, and the columns of ``history.csv`` in each.
GROUPS = {
    "loss": ("train_loss", "mask_loss", "marker_loss"),
    "validation": ("val_f1", "val_jaccard", "val_dice"),
    "count": ("count_mae", "count_mape", "count_bias"),
    "run": ("lr", "images_per_s", "seconds"),
}


class EventFile:
    """Writes the records of a run; the file is made with the first one.

    Parameters
    ----------
    make : callable or None
        Returns the writer; None to write nothing.
    """

    def __init__(self, make: Callable[[], Any] | None) -> None:
        self._make = make
        self._writer: Any = None

    def epoch(self, record: EpochRecord) -> None:
        """Write the figures of a finished epoch."""
        row = record.row()
        for group, names in GROUPS.items():
            for name in names:
                self._write(f"{group}/{name}", row[name], record.epoch)
        for name, weight in record.weights.items():
            self._write(f"weight/{name}", weight, record.epoch)
        if self._writer:
            self._writer.flush()

    def step(self, record: StepRecord) -> None:
        """Write the loss of a finished step."""
        self._write("step/loss", record.loss, (record.epoch - 1) * record.steps + record.step)

    def close(self) -> None:
        """Write what is left."""
        if self._writer:
            self._writer.close()

    def _write(self, name: str, value: float, number: int) -> None:
        if self._make:
            self._writer = self._writer or self._make()
            self._writer.add_scalar(name, value, number)


@contextmanager
def event_file(run: Path, *, wanted: bool) -> Iterator[EventFile]:
    """Write into the folder ``tensorboard`` of a run while the block lasts; each session adds a file.

    Parameters
    ----------
    run : Path
        Folder of the run.
    wanted : bool
        Whether to write at all.

    Raises
    ------
    ModuleNotFoundError
        If the package tensorboard is not installed.
    """
    events = EventFile(_writer_for(run) if wanted else None)
    try:
        yield events
    finally:
        events.close()


def _writer_for(run: Path) -> Callable[[], Any]:
    from torch.utils.tensorboard import SummaryWriter

    return partial(SummaryWriter, log_dir=str(run / FOLDER))
