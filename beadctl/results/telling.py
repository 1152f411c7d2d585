"""Words of a run, told by a thread of their own: whoever reads them may make it wait."""

import contextlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

from beadctl.results.gate import POLL_S, wait_for


class Teller:
    """Tells words in order; while they wait, a signal ends the run, and its tables are written.

    Parameters
    ----------
    may_wait : bool
        Whether whoever reads the words may make them wait; they are told in the caller's thread otherwise.
    """

    def __init__(self, *, may_wait: bool = True) -> None:
        self._untold, self._has_failed = deque[Callable[[], None]](), False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="words") if may_wait else None

    def later(self, words: Callable[[], None]) -> None:
        """Keep words for the next `tell`."""
        self._untold.append(words)

    def tell(self) -> None:
        """Tell what was kept, and raise what it raises, or `Interrupted` if a signal comes."""
        if self._thread is None:
            self._tell()
        else:
            wait_for(self._thread.submit(self._tell))

    def end(self) -> None:
        """Tell what is left, whatever signal came; only the first error of a teller is raised."""
        with contextlib.suppress(Exception) if self._has_failed else contextlib.nullcontext():
            if self._thread is None:
                self._tell()
                return
            told = self._thread.submit(self._tell)
            while not wait([told], timeout=POLL_S).done:
                pass
            self._thread.shutdown(wait=False)
            told.result()

    def _tell(self) -> None:
        try:
            while self._untold:
                self._untold.popleft()()
        except Exception:
            self._has_failed = True
            raise
