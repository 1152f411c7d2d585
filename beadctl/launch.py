"""Which of the processes this one is that ``torchrun`` started; without torch."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from beadctl.errors import SettingsError

# Where the processes meet; without them nobody started several.
MEETING = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Launch:
    """A process among those that train one network.

    Attributes
    ----------
    rank, size : int
        Which one it is, from 0, and how many there are.
    local_rank, local_size : int
        The same among those of its machine.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes and tells."""
        return self.rank == 0

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> "Launch":
        """Read the variables that torchrun sets; a process without them is alone.

        Raises
        ------
        SettingsError
            If they are no numbers, or contradict one another.

        Examples
        --------
        >>> Launch.of({}).size
        1
        >>> meeting = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}
        >>> Launch.of(meeting).leads
        False
        """
        if not all(environment.get(name) for name in MEETING):
            return cls()
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
        defaults = ("", "", "0", "1")
        words = [environment.get(name, default) for name, default in zip(names, defaults, strict=True)]
        try:
            launch = cls(*map(int, words))
        except ValueError:
            launch = cls(-1)
        if not (0 <= launch.rank < launch.size and 0 <= launch.local_rank < launch.local_size <= launch.size):
            given = ", ".join(f"{name}={word}" for name, word in zip(names, words, strict=True))
            raise SettingsError(f"{given}: is no process of a group; start the group with torchrun")
        return launch

    def require_alone(self, command: str) -> None:
        """Refuse a command that is the work of one process where there are several.

        Raises
        ------
        SettingsError
            If there are.
        """
        if self.size > 1:
            raise SettingsError(
                f"beadctl {command}: is the work of one process, and torchrun started {self.size}; start it "
                "without torchrun, or take its steps: beadctl tile, torchrun for beadctl train, export, eval"
            )
