"""Signals that end long work at the next safe point, instead of in the middle of a step."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from beadctl.errors import ExitCode, Interrupted


@dataclass
class StopRequest:
    """The last signal that asked the process to stop, inside `stoppable`; None if there was none."""

    signal: int | None = None

    def made(self) -> bool:
        """Return whether a signal arrived."""
        return self.signal is not None

    @property
    def exit_code(self) -> ExitCode:
        """130 for SIGINT, 143 for SIGTERM."""
        return Interrupted(self.signal or signal.SIGINT).exit_code


@contextmanager
def stoppable() -> Iterator[StopRequest]:
    """Record a first SIGINT or SIGTERM while the block lasts; a second one acts as outside the block."""
    request = StopRequest()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def record(number: int, _: FrameType | None) -> None:
        request.signal = number
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, record)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
