"""One process at a time writes into a folder: a lock that also holds between hosts of a shared file system.

The lock is a file that its holder touches now and then. Whoever finds it takes it over if its process is
dead; where that cannot be seen, because it ran on another host, if the file stays untouched.
"""

import contextlib
import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from beadctl.console import stopping
from beadctl.errors import IncompleteError, OutputError
from beadctl.files import TEMPORARY

if TYPE_CHECKING:
    from filelock import SoftFileLease

NAME = ".beadctl.lock"
# Network file systems may show a change to other hosts only after half a minute or more.
UNTOUCHED_S = 90.0
TOUCH_S = 10.0
POLL_S = 0.5
# Most holders that are waited for, one after another, where only a look is wanted.
LOOKS = 20


class Held:
    """The lock of a folder, while it is held."""

    def __init__(self, folder: Path, lease: "SoftFileLease") -> None:
        self._folder, self._lease = folder, lease

    def check(self) -> None:
        """Raise an `IncompleteError` if the folder was removed, or another process took it over."""
        if not self._lease.is_lock_held_by_us:
            raise IncompleteError(
                f"{self._folder}: was removed during the run, or another job took it over; run again"
            )


@contextmanager
def held(
    folder: Path, say: Callable[[str], None], parts: Callable[[], Iterable[Path]] = tuple
) -> Iterator[Held]:
    """Hold a folder, created where it is missing, and remove what killed processes left unfinished in it.

    Parameters
    ----------
    folder : Path
        What is to be written.
    say : callable
        Takes the message that it must be seen whether the holder is alive.
    parts : callable
        Returns folders whose holders write into this one too; see `require_idle`.

    Raises
    ------
    OutputError
        If another process holds it, or one of its parts, or it cannot be written.
    """
    created = [path for path in (folder, *folder.parents) if not path.exists()]
    lease = _lease(folder)
    try:
        with stopping.before_leaving(partial(_remove, lease, folder / NAME)):
            with stopping.held():
                _acquire(lease, folder, say)
                for part in parts():
                    require_idle(part, say)
                remove_stale(folder)
            yield Held(folder, lease)
    finally:
        with stopping.held():
            lease.release()
            for empty in created:
                with contextlib.suppress(OSError):
                    empty.rmdir()


def _remove(lease: "SoftFileLease", path: Path) -> None:
    """Remove the file of a lock that is ours; `release` may wait for the thread that touches it."""
    if lease.is_lock_held_by_us:
        path.unlink()


def require_idle(folder: Path, say: Callable[[str], None]) -> None:
    """Refuse a folder that another process holds; the lock of a dead one is removed.

    Parameters and errors are those of `held`.
    """
    refused = list[str]()
    while (folder / NAME).exists():
        lease = _lease(folder)
        try:
            _await(lease, folder, say)
        except OutputError as error:
            # Another process may hold it for a moment, because it is looking too.
            if str(error) in refused or len(refused) == LOOKS:
                raise
            refused.append(str(error))
            stopping.check()
            time.sleep(POLL_S / 2)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be written ({error.strerror or error})") from None
        else:
            lease.release()
            return


def _lease(folder: Path) -> "SoftFileLease":
    from filelock import SoftFileLease

    return SoftFileLease(
        folder / NAME, lease_duration=UNTOUCHED_S, heartbeat_interval=TOUCH_S, thread_local=False, mode=0o644
    )


def remove_stale(folder: Path) -> None:
    """Remove the temporary files below a folder, except in folders that have a lock of their own."""
    for place, folders, names in os.walk(folder):
        if NAME in names and Path(place) != folder:
            folders.clear()
            continue
        for name in names:
            if name.startswith(TEMPORARY):
                with contextlib.suppress(OSError):
                    Path(place, name).unlink()


def _acquire(lease: "SoftFileLease", folder: Path, say: Callable[[str], None]) -> None:
    """Create the folder and acquire its lock, or raise an `OutputError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _await(lease, folder, say)
        with (folder / NAME).open("a", encoding="utf-8") as file:
            # filelock reads over lines that it does not know.
            file.write(f"machine={machine()}\nsince={datetime.now(UTC):%Y-%m-%d %H:%M} UTC\n")
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written ({error.strerror or error}); choose another place with -o"
        ) from None


def _await(lease: "SoftFileLease", folder: Path, say: Callable[[str], None]) -> None:
    """Acquire the lock, or raise an `OutputError` as soon as its holder is seen to be alive."""
    from filelock import LeaseSettingsMismatch, Timeout

    first: _Holder | None = None
    began = time.monotonic()
    while True:
        with contextlib.suppress(Timeout, LeaseSettingsMismatch):
            lease.acquire(blocking=False)
            return
        holder = _Holder.of(folder / NAME)
        if holder and first is None:
            first = holder
            if holder.machine != machine():
                say(
                    f"{folder}: in use by {holder}; waiting up to {UNTOUCHED_S:.0f} s to see if it still runs"
                )
        # One of this machine would have been taken over if it were dead.
        alive = holder and first and (holder.machine == machine() or holder.touched != first.touched)
        if not alive and time.monotonic() - began > UNTOUCHED_S + TOUCH_S:
            # A process that is killed while it makes the file leaves an empty one, which filelock respects.
            lease.force_break()
            first, began = None, time.monotonic()
        elif alive:
            raise OutputError(f"{folder}: in use by {holder}; wait until it has ended, or choose another -o")
        stopping.check()
        time.sleep(POLL_S)


@dataclass(frozen=True)
class _Holder:
    """What the file of a lock says of the process that holds it.

    Attributes
    ----------
    pid, host, machine, since : str
        The process, its host, that host with its process namespace, and when it began.
    touched : tuple of float and int
        Changes whenever the holder touches the file.
    """

    pid: str
    host: str
    machine: str
    since: str
    touched: tuple[float, int]

    @classmethod
    def of(cls, path: Path) -> "_Holder | None":
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
            state = path.stat()
        except (OSError, ValueError):
            return None
        facts = dict(line.split("=", 1) for line in lines if "=" in line)
        host = facts.get("host", "").partition("?")[0]
        named = (facts.get("pid", "?"), host, facts.get("machine", ""), facts.get("since", ""))
        return cls(*named, (state.st_mtime, state.st_ino))

    def __str__(self) -> str:
        since = f" since {self.since}" if self.since else ""
        return f"another job (process {self.pid} on {self.host}{since})"


def machine() -> str:
    """Return what two processes share that see each other's process numbers."""
    try:
        return f"{platform.node()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return platform.node()
