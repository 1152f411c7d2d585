"""Planes that are worked on at the same time: small ones beside each other, large ones one after another."""

import contextlib
import threading
from collections import deque
from collections.abc import Iterator

# Of more, most would wait for the interpreter.
MOST_LANES = 4


class Room:
    """Places for threads; who asks first is let in first, so that one that needs all places gets them.

    Parameters
    ----------
    places : int
        Number of places.
    """

    def __init__(self, places: int) -> None:
        self._free, self._changed = places, threading.Condition()
        self._asking = deque[object]()

    @contextlib.contextmanager
    def taken(self, places: int) -> Iterator[None]:
        """Wait for places, and hold them while the block lasts."""
        ticket = object()
        with self._changed:
            self._asking.append(ticket)
            self._changed.wait_for(lambda: self._asking[0] is ticket and self._free >= places)
            self._asking.popleft()
            self._free -= places
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += places
                self._changed.notify_all()


class Lanes:
    """How planes share memory and processor: a small one takes one lane, a large one all of them.

    A large plane may be labelled while the network runs over the next, which needs its own threads; then the
    next waits with its maps, so that no third one is in memory.

    Parameters
    ----------
    number : int
        Small planes that are worked on at a time.
    small_px : int
        Pixels of all of them together.

    Attributes
    ----------
    threads : int
        Threads that serve the lanes.
    network, labelling : Room
        Where a plane is while the network runs over it, and while it is labelled and encoded.
    """

    def __init__(self, number: int, small_px: int) -> None:
        self._number, self._small_px = number, small_px
        self.threads = max(2, number)
        self.network, self.labelling = Room(number), Room(number)

    def places(self, pixels: int) -> int:
        """Return how many lanes a plane of so many pixels takes."""
        return 1 if pixels * self._number <= self._small_px else self._number
