"""What lets a run be given up at any moment: waiting that a signal ends, and results that are whole."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, wait
from typing import TypeVar

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
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self._check, self._lock, self._closed = check, threading.Lock(), False
        self._passed = deque[ImageResult]()

    def let_pass(self, write: Callable[[], ImageResult]) -> None:
        """Keep for `passed` the result that `write` writes and returns; CancelledError at a closed gate."""
        with self._lock:
            if self._closed:
                raise CancelledError
            # Where one image cannot be written, no further one is.
            self._closed = True
            self._check()
            self._passed.append(write())
            self._closed = False

    def passed(self) -> Iterator[ImageResult]:
        """Yield the results that have passed, each once."""
        while self._passed:
            yield self._passed.popleft()

    def close(self) -> None:
        """Close the gate as soon as nothing passes."""
        with self._lock:
            self._closed = True


def wait_for(future: Future[T]) -> T:
    """Return the result of a future; a signal ends the waiting on every platform."""
    while not wait([future], timeout=POLL_S).done:
        stopping.check()
    result = future.result()
    stopping.check()
    return result
