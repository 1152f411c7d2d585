"""What a worker needs to run trials as this one would."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from beadctl import lock
from beadctl.console import stopping
from beadctl.study.grid import Trial
from beadctl.study.outcome import Outcome
from beadctl.study.trial import kept, run
from beadctl.training.device import resolve
from beadctl.training.options import TrainCallbacks, TrainOptions, among
from beadctl.training.start import Start


@dataclass(frozen=True, eq=False)
class TrialOrder:
    """How a worker runs trials, in the same folders.

    Attributes
    ----------
    out : Path
        Folder of the comparison.
    tiles, start, options
        As `beadctl.training.train.train` takes them.
    retry : bool
        Run failed trials again.
    sharing : int
        Processes that share this computer; 1 where each has what its job was granted.
    """

    out: Path
    tiles: Path | None
    start: Start | None
    options: TrainOptions
    retry: bool
    sharing: int = 1

    def open(self, number: int) -> TrialTool:
        """Choose the device; DeviceError if it is not available.

        Parameters
        ----------
        number : int
            Of the process among those that share the computer, from 0; see `beadctl.training.options.among`.
        """
        options = among(self.options, number, self.sharing)
        resolve(options.device)
        return TrialTool(replace(self, options=options))


class TrialTool:
    """Runs trials in a worker.

    Parameters
    ----------
    order : TrialOrder
        What was ordered.
    """

    facts: Mapping[str, Any] = {}

    def __init__(self, order: TrialOrder) -> None:
        self._order, self._stop = order, stopping.StopRequest()

    def work(self, trial: Trial) -> Outcome | None:
        """Run a trial, unless another call has; None if it was stopped, with its last epoch kept.

        Raises
        ------
        FileNotFoundError
            If the folder of the comparison or the tiles are not there.
        BeadctlError
            As `beadctl.study.trial.run`.
        """
        order = self._order
        for folder in (order.out, order.tiles):
            if folder:
                folder.stat()
        with lock.held(order.out / trial.folder, lambda _: None):
            return kept(trial, order.out, retry=order.retry) or run(
                trial,
                order.out,
                tiles=order.tiles,
                start=order.start,
                options=order.options,
                callbacks=TrainCallbacks(should_stop=self._stop.made),
            )

    def give_up(self) -> None:
        """Stop the trial that runs, after its last finished epoch."""
        self._stop.make()
