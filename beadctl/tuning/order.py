"""What a worker needs to train the models of a tuning as this process would."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from beadctl.console import SILENT, stopping
from beadctl.training.device import resolve
from beadctl.training.options import among
from beadctl.training.preparation import Asked
from beadctl.training.run import learn_shown
from beadctl.tuning.steps import ready


@dataclass(frozen=True, eq=False)
class TuningOrder:
    """How a worker trains, in the same folders.

    Attributes
    ----------
    asked : Asked
        The training; tiles and folder are those of each task.
    sharing : int
        Processes that share this computer; 1 where each has what its job was granted.
    """

    asked: Asked
    sharing: int = 1

    def open(self, number: int) -> "TuningTool":
        """Choose the device; DeviceError if it is not available.

        Parameters
        ----------
        number : int
            Of the process among those that share the computer, from 0; see `beadctl.training.options.among`.
        """
        options = among(self.asked.options, number, self.sharing)
        resolve(options.device)
        return TuningTool(replace(self.asked, options=options))


class TuningTool:
    """Trains in a worker.

    Parameters
    ----------
    asked : Asked
        What was ordered.
    """

    facts: Mapping[str, Any] = {}

    def __init__(self, asked: Asked) -> None:
        self._asked, self._stop = asked, stopping.StopRequest()

    def work(self, tiles: Path, out: Path) -> None:
        """Train into a folder, or go on with what is there; where it was stopped, the last epoch is kept.

        Raises
        ------
        FileNotFoundError
            If the tiles are not there.
        BeadctlError
            As `beadctl.training.train.train`.
        """
        tiles.stat()
        learn_shown(ready(replace(self._asked, tiles=tiles), out, SILENT), SILENT, self._stop.made)

    def give_up(self) -> None:
        """Stop the training that runs, after its last finished epoch."""
        self._stop.make()
