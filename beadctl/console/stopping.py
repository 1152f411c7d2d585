"""Signals that end work: the first one in good order, a second Ctrl-C at once."""

import _thread
import contextlib
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import FrameType

from beadctl.errors import ExitCode, Interrupted
from beadctl.files import remove_temporaries

# Ctrl-C, the end of a job, and the warning before it that batch systems send where it is asked for.
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name))
# Work that has not ended so long after a signal is left, unless it is `finishing`.
GRACE_S = 1.8
POLL_S = 0.1
# How long the last words of a process wait for whoever reads them.
LAST_WORDS_S = 0.5
SHOW_CURSOR = "\x1b[?25h"


class _Finishing:
    """What `finishing` holds while the end of some work is written, and when it last ended."""

    lock = threading.Lock()
    active = False
    ended_s = -math.inf


class _Held:
    """Whether a first signal waits for `check`."""

    active = False


_listening: list["StopRequest"] = []
# What a thread obeys beside the signals of the process.
_obeyed = threading.local()
_before_leaving: list[Callable[[], object]] = []


@dataclass
class StopRequest:
    """The first signal that asked work to stop; None if there was none."""

    signal: int | None = None

    def make(self) -> None:
        """Ask as a batch system does, unless a signal came before."""
        self.signal = self.signal or SIGNALS[-1]

    def made(self) -> bool:
        """Return whether a signal arrived."""
        return self.signal is not None

    @property
    def error(self) -> Interrupted:
        """What tells that work was stopped: by the signal, else as by Ctrl-C."""
        return Interrupted(self.signal or signal.SIGINT)


@contextmanager
def listening() -> Iterator[StopRequest]:
    """Raise `Interrupted` in the main thread on a first signal; one of the process, while the block lasts.

    Libraries may lose an exception that comes in the middle of them, and a step of theirs may take long: then
    `check` raises it again, and at last the process is left.
    """
    request = StopRequest()

    def stop(number: int) -> None:
        # A lock of `threading` may be held where the signal came; a bare thread needs none.
        _thread.start_new_thread(_leave_later, (number,))
        if not (_Finishing.active or _Held.active):
            raise Interrupted(number)

    _listening.append(request)
    report = sys.unraisablehook

    def report_others(lost: "sys.UnraisableHookArgs") -> None:
        # Callbacks of the interpreter cannot raise; `check` does it again.
        if not isinstance(lost.exc_value, Interrupted):
            report(lost)

    sys.unraisablehook = report_others
    try:
        with _recorded(request, stop):
            yield request
    finally:
        sys.unraisablehook = report
        _listening.clear()


@contextmanager
def stoppable() -> Iterator[StopRequest]:
    """Record a first signal while the block lasts, for work that ends at the next safe point."""
    request = StopRequest()
    with _recorded(request, lambda _: None):
        yield request


@contextmanager
def _recorded(request: StopRequest, first: Callable[[int], None]) -> Iterator[None]:
    """Record a first signal and call `first`; leave at once on a later Ctrl-C, and ignore other signals.

    Schedulers send a signal to the process and to its group, so that it comes twice.
    """

    def record(number: int, _: FrameType | None) -> None:
        if not request.made():
            request.signal = number
            first(number)
        elif number == signal.SIGINT:
            leave(Interrupted(number).exit_code)

    # A shell that starts a job in the background makes it ignore Ctrl-C; that must stay so.
    before = {number: signal.getsignal(number) for number in SIGNALS}
    before = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, record)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def obey(request: StopRequest) -> None:
    """Have `check` raise `Interrupted` in this thread once a request is made, too."""
    _obeyed.request = request


def check() -> None:
    """Raise `Interrupted` if a signal has come, in any thread: for long work, between its steps."""
    own = getattr(_obeyed, "request", None)
    for request in [*_listening, own] if own else _listening:
        if request.signal is not None:
            raise Interrupted(request.signal)


def wait(seconds: float) -> None:
    """Wait; raise `Interrupted` as soon as a signal comes."""
    end = time.monotonic() + seconds
    check()
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(POLL_S, left))
        check()


@contextmanager
def held() -> Iterator[None]:
    """Let a signal end the block only where it calls `check`: no step of it is then done by half."""
    before = _Held.active
    try:
        _Held.active = True
        yield
    finally:
        _Held.active = before


@contextmanager
def finishing() -> Iterator[None]:
    """Let nothing but a second Ctrl-C end the process while the main thread writes what is finished."""
    _Finishing.active = True
    try:
        with _Finishing.lock:
            try:
                yield
            finally:
                _Finishing.ended_s = time.monotonic()
    finally:
        _Finishing.active = False


def last_words(say: Callable[[], None]) -> None:
    """Be `finishing` for the message at the end, after which the process need not be left.

    The message is given up where nobody reads it.
    """
    with finishing():
        _told(say, GRACE_S)
        _listening.clear()


@contextmanager
def before_leaving(step: Callable[[], object]) -> Iterator[None]:
    """Call `step`, in any thread, if the process is left while the block lasts; its errors are ignored."""
    _before_leaving.append(step)
    try:
        yield
    finally:
        _before_leaving.remove(step)


def _leave_later(number: int) -> None:
    time.sleep(GRACE_S)
    while True:
        with _Finishing.lock:
            # What follows the end of some work, such as its tables, has as long again.
            if time.monotonic() - _Finishing.ended_s >= GRACE_S:
                if _listening:
                    stop = Interrupted(number)
                    _told(partial(os.write, 2, f"error: {stop}\n".encode()), LAST_WORDS_S)
                    leave(stop.exit_code)
                return
        time.sleep(POLL_S)


def leave(code: ExitCode) -> None:
    """End the process at once: threads are not waited for, and no half-written file or lock stays."""
    remove_temporaries()
    for step in tuple(_before_leaving):
        with contextlib.suppress(Exception):
            step()
    with contextlib.suppress(OSError):
        if os.isatty(2):
            _told(partial(os.write, 2, SHOW_CURSOR.encode()), LAST_WORDS_S)
    os._exit(code)


def _told(say: Callable[[], object], most_s: float) -> None:
    """Call `say` in a thread of its own, for a reader of the words may let it wait for ever."""
    done = _thread.allocate_lock()
    done.acquire()

    def tell() -> None:
        try:
            with contextlib.suppress(OSError):
                say()
        finally:
            done.release()

    _thread.start_new_thread(tell, ())
    done.acquire(timeout=most_s)
