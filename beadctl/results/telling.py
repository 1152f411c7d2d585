"""Words of a run, told by a thread of their own: whoever reads them may make it wait."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from beadctl.results.gate import POLL_S, wait_for


class Teller:
    """Tells words in order; while they wait, a signal ends the run, and its tables are written."""

    def __init__(self) -> None:
        self._untold = deque[Callable[[], None]]()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="words")

    def later(self, words: Callable[[], None]) -> None:
        """Keep words for the next `tell`."""
        self._untold.append(words)

    def tell(self) -> None:
        """Tell what was kept, and raise what it raises, or `Interrupted` if a signal comes."""
        wait_for(self._told())

    def end(self) -> None:
        """Tell what is left, whatever signal came."""
        told = self._told()
        while not wait([told], timeout=POLL_S).done:
            pass
        self._thread.shutdown(wait=False)
        told.result()

    def _told(self) -> Future[None]:
        return self._thread.submit(self._tell)

    def _tell(self) -> None:
        while self._untold:
            self._untold.popleft()()
