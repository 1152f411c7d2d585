"""One of several jobs that share the work of a command: which one it is, and which items are its own."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heapreplace

from beadctl.errors import SettingsError

FORM = re.compile(r"(auto|[0-9]{1,9})(?:/([0-9]{1,9}))?")
HOW = "give I/N with I from 1 to N, such as 3/7, or auto in a job array"


@dataclass(frozen=True)
class Shard:
    """One of several jobs that share the work of a command.

    Attributes
    ----------
    number, count : int
        Which one it is, from 1, and how many there are.
    source : str
        Variable of the scheduler that says which one it is; empty where the user did.
    """

    number: int
    count: int
    source: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @classmethod
    def parse(cls, text: str, environment: Mapping[str, str] = os.environ) -> "Shard":
        """Read ``I/N``, or ``auto`` or ``auto/N`` in a task of a job array.

        SLURM and SGE say how many tasks an array has, PBS does not. Where N is given, the number of the task
        is that of the shard, so that a task which is submitted alone remains the same shard.

        Parameters
        ----------
        text : str
            As the user gave it.
        environment : mapping
            Variables of the scheduler.

        Raises
        ------
        SettingsError
            If it is none of these, the number is not within 1 to N, or no scheduler says it.

        Examples
        --------
        >>> str(Shard.parse("3/7"))
        '3/7'
        >>> str(Shard.parse("auto/7", {"PBS_ARRAY_INDEX": "2"}))
        '2/7'
        """
        match = FORM.fullmatch(text)
        if not match or (match[1] != "auto" and match[2] is None):
            raise SettingsError(f"--shard {text}: {HOW}")
        count = int(match[2]) if match[2] else None
        if match[1] == "auto":
            return _task(text, count, environment)
        number = int(match[1])
        if count is None or not 1 <= number <= count:
            raise SettingsError(f"--shard {text}: {HOW}")
        return cls(number, count)

    def members(self, weights: Sequence[int]) -> list[int]:
        """Return the places of the items of this shard, in their order.

        From the heaviest on, each item goes to the shard that has least so far, so that no shard has more
        than another by more than the weight of one item. Every item is in exactly one of the shards.

        Parameters
        ----------
        weights : sequence of int
            Of all items, such as the bytes of files; an item weighs at least one.

        Examples
        --------
        >>> [Shard(number, 2).members([5, 1, 1, 3]) for number in (1, 2)]
        [[0], [1, 2, 3]]
        """
        # More shards than items remain without any.
        loads = [(0, number) for number in range(1, min(self.count, len(weights)) + 1)]
        heapify(loads)
        mine = list[int]()
        for place in sorted(range(len(weights)), key=lambda place: -weights[place]):
            load, number = loads[0]
            heapreplace(loads, (load + max(1, weights[place]), number))
            if number == self.number:
                mine.append(place)
        return sorted(mine)


def _task(text: str, count: int | None, environment: Mapping[str, str]) -> Shard:
    """Return the shard of a task of an array, from the variables of its scheduler."""
    # Outside an array, SGE says "undefined".
    tasks = ("SLURM_ARRAY_TASK_ID", "PBS_ARRAY_INDEX", "SGE_TASK_ID")
    source = next((name for name in tasks if environment.get(name, "").isdecimal()), None)
    if source is None:
        raise SettingsError(f"--shard {text}: no task of a job array ({', '.join(tasks)}); give I/N")
    task = int(environment[source])
    number, tasks_told = task, _tasks(source, environment)
    if count is None:
        if tasks_told is None:
            raise SettingsError(f"--shard auto: {source} does not say of how many tasks; give auto/N")
        first, step, count = tasks_told
        number = (task - first) // step + 1
        if (task - first) % step:
            number = 0
    if not 1 <= number <= count:
        raise SettingsError(
            f"--shard {text}: {source} is {task} and there are {count} shards; number tasks from 1 to N, "
            "without gaps"
        )
    return Shard(number, count, source)


def _tasks(source: str, environment: Mapping[str, str]) -> tuple[int, int, int] | None:
    """Return the first task of an array, the step to the next, and how many there are, where it is said."""

    def value(name: str, default: int) -> int:
        text = environment.get(name, "")
        return int(text) if text.isdecimal() else default

    match source:
        case "SLURM_ARRAY_TASK_ID":
            first, step = value("SLURM_ARRAY_TASK_MIN", 1), value("SLURM_ARRAY_TASK_STEP", 1)
            count = value("SLURM_ARRAY_TASK_COUNT", 0)
        case "SGE_TASK_ID":
            first, step = value("SGE_TASK_FIRST", 1), value("SGE_TASK_STEPSIZE", 1)
            count = (value("SGE_TASK_LAST", 0) - first) // max(1, step) + 1
        case _:
            return None
    return (first, max(1, step), count) if count > 0 else None
