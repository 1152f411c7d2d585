"""One process at a time writes to an address: a lock that is an object of the store.

Its holder writes it anew now and then. Whoever finds it takes it over if its process is dead; where that
cannot be seen, because it runs on another computer, if the object stays as it is.
"""

import contextlib
import json
import os
import platform
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from beadctl import lock
from beadctl.console import stopping
from beadctl.errors import IncompleteError, OutputError
from beadctl.store import StoreFolder

POLL_S = 1.0


class Held:
    """A lock in a store, while it is held; a thread writes it anew.

    Parameters
    ----------
    folder : StoreFolder
        Where it lies.
    name : str
        Of the object.
    """

    def __init__(self, folder: StoreFolder, name: str) -> None:
        self._folder, self._name = folder, name
        self._token, self._number = secrets.token_hex(16), 0
        self._since = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        self._lost, self._ended, self._written_s = False, threading.Event(), time.monotonic()
        self._thread = threading.Thread(target=self._keep, name="lock", daemon=True)

    def made(self) -> bool:
        """Make the object, and return whether it is ours; another process may have made one."""
        self._written_s = time.monotonic()
        # A store that does not know of conditions lets the last one win.
        if not self._folder.create(self._name, self._content()) or not self._is_ours():
            return False
        self._thread.start()
        return True

    def check(self) -> None:
        """Raise an `IncompleteError` if the object is no longer ours, or may be so."""
        if self._lost or time.monotonic() - self._written_s > lock.UNTOUCHED_S:
            what = "the store did not answer for long, or another job took it over"
            raise IncompleteError(f"{self._folder.url.shown}: {what}; run again")

    def release(self) -> None:
        """Remove the object, if it is ours; one that stays is taken over."""
        self._ended.set()
        self._thread.join()
        with contextlib.suppress(OutputError):
            if self._is_ours():
                self._folder.remove(self._name)

    def _keep(self) -> None:
        while not self._ended.wait(lock.TOUCH_S):
            with contextlib.suppress(OutputError):
                began = time.monotonic()
                if not self._is_ours():
                    self._lost = True
                    return
                self._number += 1
                self._folder.write(self._name, self._content())
                self._written_s = began

    def _is_ours(self) -> bool:
        holder = _Holder.of(self._folder.read(self._name))
        return holder is not None and holder.token == self._token

    def _content(self) -> bytes:
        facts = {"token": self._token, "number": self._number, "pid": os.getpid(), "host": platform.node()}
        return json.dumps({**facts, "machine": lock.machine(), "since": self._since}).encode()


@contextlib.contextmanager
def held(
    folder: StoreFolder, name: str, others: Callable[[], Iterable[str]], say: Callable[[str], None]
) -> Iterator[Held]:
    """Hold a lock.

    Parameters
    ----------
    folder, name : StoreFolder and str
        Where its object lies, and the name of that.
    others : callable
        Returns the names of other locks, of which none may be held; called once this one is.
    say : callable
        Takes the message that it must be seen whether a holder is alive.

    Raises
    ------
    OutputError
        If another process holds one of them, or the store cannot be written to.
    """
    own = Held(folder, name)
    _require_free(folder, name, say)
    while not own.made():
        _require_free(folder, name, say)
    try:
        for other in others():
            _require_free(folder, other, say)
        yield own
    finally:
        with stopping.finishing():
            own.release()


@dataclass(frozen=True)
class _Holder:
    """What the object of a lock says of the process that holds it."""

    token: str
    number: object
    pid: int
    host: str
    machine: str
    since: str

    @classmethod
    def of(cls, content: bytes | None) -> "_Holder | None":
        """Return what an object says; None without one. One that says nothing is of an unknown process."""
        if content is None:
            return None
        try:
            facts = json.loads(content)
            texts = (str(facts[name]) for name in ("host", "machine", "since"))
            return cls(str(facts["token"]), facts["number"], int(facts["pid"]), *texts)
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return cls(content.hex(), 0, 0, "?", "?", "?")

    def __str__(self) -> str:
        return f"another job (process {self.pid} on {self.host} since {self.since})"

    def is_dead(self) -> bool:
        """Return whether it is seen that its process has ended."""
        if self.machine != lock.machine() or os.name != "posix":
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except (OSError, OverflowError):
            return False
        return False


def _require_free(folder: StoreFolder, name: str, say: Callable[[str], None]) -> None:
    """Refuse a lock that a live process holds, and remove that of a dead one."""
    first, began = _Holder.of(folder.read(name)), time.monotonic()
    shown = folder.url.shown
    if first and not first.is_dead():
        say(f"{shown}: in use by {first}; waiting up to {lock.UNTOUCHED_S:.0f} s to see if it still runs")
    while (holder := _Holder.of(folder.read(name))) is not None:
        if holder != first:
            raise OutputError(f"{shown}: in use by {holder}; wait until it has ended, or choose another -o")
        if holder.is_dead() or time.monotonic() - began > lock.UNTOUCHED_S + lock.TOUCH_S:
            folder.remove(name)
            return
        stopping.wait(POLL_S)
