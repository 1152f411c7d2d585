"""What lets a run be given up at any moment: waiting that a signal ends, and results that are whole."""

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, InvalidStateError, wait
from typing import Any, TypeVar

from beadctl.console import stopping
from beadctl.results.ledger import ImageResult

T = TypeVar("T")
POLL_S = 0.1


class Gate:
    """Lets one result at a time be written and handed over, as one step, and none once it is closed.

    Parameters
    ----------
    check : callable
        Called before a result is written; raises what is to end the run.

    Attributes
    ----------
    broken : Future
        Has the error that ended the run, if one did.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self._check, self._lock, self._closed = check, threading.Lock(), False
        self._passed = deque[tuple[int, ImageResult]]()
        self.broken = Future[None]()

    def let_pass(self, number: int, write: Callable[[], ImageResult]) -> None:
        """Keep for `passed` the result that `write` writes and returns; CancelledError at a closed gate."""
        with self._lock:
            if self._closed:
                raise CancelledError
            # Where one image cannot be written, no further one is.
            self._closed = True
            self._check()
            self._passed.append((number, write()))
            self._closed = False

    def passed(self) -> Iterator[tuple[int, ImageResult]]:
        """Yield the results that have passed, each once, with the numbers of their images."""
        while self._passed:
            yield self._passed.popleft()

    def close(self) -> None:
        """Close the gate as soon as nothing passes."""
        with self._lock:
            self._closed = True

    def break_off(self, error: BaseException) -> None:
        """Close the gate because of an error; the first one counts."""
        self.close()
        with contextlib.suppress(InvalidStateError):
            self.broken.set_exception(error)


def wait_for(
    future: Future[T], broken: Future[None] | None = None, check: Callable[[], None] = lambda: None
) -> T:
    """Return the result of a future; a signal ends the waiting on every platform.

    Parameters
    ----------
    future : Future
        What is waited for.
    broken : Future, optional
        Ends the waiting by its error.
    check : callable
        Called while it waits, to end it by an exception.
    """
    awaited: list[Future[Any]] = [future, broken] if broken else [future]
    while not wait(awaited, timeout=POLL_S, return_when=FIRST_COMPLETED).done:
        stopping.check()
        check()
    if broken and not future.done():
        broken.result()
    result = future.result()
    stopping.check()
    return result
