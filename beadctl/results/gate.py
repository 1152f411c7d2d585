"""What lets a run be given up at any moment: waiting that a signal ends, and files that are written whole."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, wait
from contextlib import contextmanager
from typing import TypeVar

from beadctl.console import stopping

T = TypeVar("T")
POLL_S = 0.5
# The time from the end of a task to that of its future.
SETTLE_S = 0.1


class Gate:
    """Lets the files of one image at a time be written, and no further ones once it is closed.

    Parameters
    ----------
    check : callable
        Called before files are written; raises what is to end the run.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self._check, self._lock, self._closed = check, threading.Lock(), False

    @contextmanager
    def passed(self) -> Iterator[None]:
        """Hold the gate while files are written; CancelledError if it is closed."""
        with self._lock:
            if self._closed:
                raise CancelledError
            # Where one image cannot be written, no further one is.
            self._closed = True
            self._check()
            yield
            self._closed = False

    def close(self) -> None:
        """Close the gate as soon as nobody holds it."""
        with self._lock:
            self._closed = True


def wait_for(future: Future[T]) -> T:
    """Return the result of a future; a signal ends the waiting on every platform."""
    while not wait([future], timeout=POLL_S).done:
        stopping.check()
    return future.result()


def done_of(futures: Sequence[Future[T]]) -> Iterator[T]:
    """Yield the results of the futures that have one."""
    wait(futures, timeout=SETTLE_S)
    for future in futures:
        if future.done() and not future.cancelled() and future.exception() is None:
            yield future.result()
