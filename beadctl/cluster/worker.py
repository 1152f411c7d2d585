"""What runs on a worker: tools, each opened once and kept from task to task."""

import socket
import threading
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol

from beadctl import __version__
from beadctl.errors import BeadctlError, ClusterError, FileNote

if TYPE_CHECKING:
    from distributed import Worker


class Tool(Protocol):
    """Does the tasks of an order."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What to record of this process."""

    def work(self, *item: Any) -> Any:
        """Do a task; FileNotFoundError if a file of it is not there."""

    def give_up(self) -> None:
        """End what is worked on at its next safe point."""


class Order(Protocol):
    """What is to be done, for other processes; can be pickled."""

    def open(self, number: int) -> Tool:
        """Open what does it, in the process of this number on its computer."""


@dataclass(frozen=True)
class Task:
    """A part of an order.

    Attributes
    ----------
    order : Order
        The whole.
    run : str
        Of which run it is: workers keep a tool for each.
    version : str
        Of the beadctl that ordered it.
    item : tuple
        What the tool is to work on.
    """

    order: Order
    run: str
    version: str
    item: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What became of a task.

    Attributes
    ----------
    value : object
        What the tool returned.
    notes : list of (Path, str)
        What it said of files.
    absent : str
        A file that is not there; empty where all are.
    worker : str
        Which worker it was.
    """

    value: Any = None
    notes: list[tuple[Path, str]] = field(default_factory=list)
    absent: str = ""
    worker: str = ""


_tools: dict[str, Tool] = {}
_opening = threading.Lock()
_notes = SimpleQueue[tuple[Path, str]]()


def version() -> str:
    """Return the version of beadctl on this worker."""
    return __version__


def ready(task: Task, dask_worker: "Worker") -> Mapping[str, Any]:
    """Open the tool of an order, and return its facts; errors are those of `work`."""
    return _tool(task, dask_worker).facts


def work(task: Task) -> Answer:
    """Do a task.

    Raises
    ------
    BeadctlError
        If the tool cannot be opened, or the task cannot be done on this worker; the message names it.
    """
    from distributed import get_worker

    worker = get_worker()
    tool = _tool(task, worker)
    try:
        value = tool.work(*task.item)
    except (FileNotFoundError, NotADirectoryError) as error:
        return Answer(notes=noted(), absent=str(error.filename), worker=_name(worker))
    except BeadctlError as error:
        raise _named(error, worker) from None
    return Answer(value, noted())


def give_up(run: str) -> None:
    """End what is done for a run, and keep its tool no longer."""
    tool = _tools.pop(run, None)
    if tool:
        tool.give_up()


def _tool(task: Task, worker: "Worker") -> Tool:
    with _opening:
        if task.run not in _tools:
            try:
                if task.version != __version__:
                    raise ClusterError(f"has beadctl {__version__}; install {task.version} there")
                keep_notes()
                # Workers that one process started on its computer have their numbers as names.
                _tools[task.run] = task.order.open(worker.name if isinstance(worker.name, int) else 0)
            except BeadctlError as error:
                raise _named(error, worker) from None
        return _tools[task.run]


def _named(error: BeadctlError, worker: "Worker") -> BeadctlError:
    return type(error)(f"worker {_name(worker)}: {error}")


def _name(worker: "Worker") -> str:
    return f"{worker.address} on {socket.gethostname()}"


@cache
def keep_notes() -> None:
    """Keep the notes on files of this process for `noted`."""
    show = warnings.showwarning

    def keep(message: Warning | str, *where: Any, **more: Any) -> None:
        if isinstance(message, FileNote):
            _notes.put((message.path, message.note))
        else:
            show(message, *where, **more)

    warnings.simplefilter("always", FileNote)
    warnings.showwarning = keep


def noted() -> list[tuple[Path, str]]:
    """Return the notes that were kept since the last call."""
    found = list[tuple[Path, str]]()
    try:
        while True:
            found.append(_notes.get_nowait())
    except Empty:
        return found


def name_notes(given: Mapping[str, str]) -> None:
    """Have the notes that are kept name files as the user did; see `as_given`."""
    for path, note in noted():
        _notes.put((Path(as_given(str(path), given)), as_given(note, given)))


def as_given(text: str, given: Mapping[str, str]) -> str:
    """Return a text that names files as the user did, by the names that they have on this worker."""
    for here, name in given.items():
        text = text.replace(here, name)
    return text


def merged(facts: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the facts in which processes agree, and lists of those in which they differ.

    Examples
    --------
    >>> merged([{"device": "cuda:0", "threads": 2}, {"device": "cuda:1", "threads": 2}])
    {'device': ['cuda:0', 'cuda:1'], 'threads': 2}
    """
    names = dict.fromkeys(name for one in facts for name in one)
    values = {name: _each_once([one.get(name) for one in facts]) for name in names}
    return {name: several if len(several) > 1 else several[0] for name, several in values.items()}


def _each_once(values: Sequence[Any]) -> list[Any]:
    return [value for place, value in enumerate(values) if value not in values[:place]]
