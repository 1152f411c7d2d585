"""The tasks of an order: which is next, and which is tried again because what did it was lost with it."""

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

# Workers that may be lost with a task before it is tried alone.
TRIES = 2
LOST = "at last with nothing else beside it; is it too large for the memory of a worker?"


@dataclass(eq=False)
class Tried:
    """A task that is to be done.

    Attributes
    ----------
    item : tuple
        What the tool is to work on.
    future : Future
        Gets what it returns, or its error.
    losses : int
        How often a worker was lost with it.
    remote : distributed.Future or None
        What Dask knows it by while one of its workers has it.
    """

    item: tuple[Any, ...]
    future: Future[Any]
    losses: int = 0
    remote: Any = None

    @property
    def lost_words(self) -> str:
        """Why it is given up."""
        return f"its worker died {self.losses} times, {LOST}"


class Tries:
    """Tasks that wait, and those that are done.

    A worker that is lost may have been killed by its task. Such a task is tried again, like any other; after
    `TRIES` losses it is tried with no other beside it, and if its worker is lost once more, it is given up.
    One thread at a time may use it.
    """

    def __init__(self) -> None:
        self._waiting, self._suspects = deque[Tried](), deque[Tried]()
        self._alone: Tried | None = None
        self.running = set[Tried]()

    def add(self, tried: Tried) -> None:
        """Let a task wait."""
        self._waiting.append(tried)

    def next(self, places: int) -> Tried | None:
        """Return the task that is to start now beside those that run, if so many may; it runs from now on.

        Examples
        --------
        >>> tries = Tries()
        >>> tries.add(Tried(("a.tif",), Future()))
        >>> tries.next(1).item, tries.next(1)
        (('a.tif',), None)
        """
        if self._alone:
            return None
        if self._suspects:
            if self.running:
                return None
            started = self._alone = self._suspects.popleft()
        elif self._waiting and len(self.running) < places:
            started = self._waiting.popleft()
        else:
            return None
        self.running.add(started)
        return started

    def ended(self, tried: Tried, losses: int = 0) -> bool:
        """Take a task from those that run, after so many more losses; return whether it is tried again."""
        self.running.discard(tried)
        tried.remote = None
        tried.losses += losses
        if was_alone := self._alone is tried:
            self._alone = None
        is_tried_again = bool(losses) and not was_alone
        if is_tried_again:
            (self._waiting.appendleft if tried.losses < TRIES else self._suspects.append)(tried)
        return is_tried_again
