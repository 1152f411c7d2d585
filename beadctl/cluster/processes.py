"""Processes of this computer at work on one order, each on a task at a time."""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from beadctl.cluster.place import Local
from beadctl.cluster.tries import Tried, Tries
from beadctl.cluster.worker import Answer, Order, Tool, keep_notes, merged, noted
from beadctl.console import stopping
from beadctl.errors import BeadctlError, ClusterError, ExitCode, FileNote, ImageError

# How long processes that are told to end may take to remove their temporary files.
END_S = 5.0
FEWER = "is there memory for so many? Give fewer by --cluster local:N"


class Processes:
    """Has the tasks of an order done by processes that end with this one, whatever ends it.

    A process that dies is replaced, and its task tried again as `beadctl.cluster.tries.Tries` says. One that
    cannot be replaced is done without, until none is left.

    Parameters
    ----------
    place : Local
        How many there are.
    order : Order
        What is to be done.

    Raises
    ------
    ClusterError, BeadctlError
        If one cannot be started, or cannot open what the order needs.
    """

    def __init__(self, place: Local, order: Order) -> None:
        self._order, self._tries, self._closed = order, Tries(), False
        self._changed = threading.Condition()
        self._broken: Exception | None = None
        self.places = place.workers
        self._processes = list[_Process]()
        try:
            for number in range(place.workers):
                self._processes.append(_Process(order, number))
            opened = merged([process.opened() for process in self._processes])
            self.facts = {"processes": place.workers, **opened}
            for number in range(place.workers):
                threading.Thread(target=self._work, args=(number,), daemon=True).start()
        except BaseException:
            self.give_up()
            raise

    def submit(self, *item: Any) -> Future[Any]:
        """Have a task done; its future gets what `Tool.work` returns, or its error.

        A task that is given up is an `ImageError`.
        """
        tried = Tried(item, Future())
        with self._changed:
            self._tries.add(tried)
            self._changed.notify_all()
        return tried.future

    def check(self) -> None:
        """Raise an error if all processes have died, and the last could not be replaced."""
        if self._broken:
            raise self._broken

    def give_up(self) -> None:
        """Start no further task, and end the processes, which remove their temporary files."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for process in self._processes:
            process.stop()
        end_s = time.monotonic() + END_S
        for process in self._processes:
            process.end(end_s)

    def _work(self, number: int) -> None:
        """Give a process one task after another."""
        is_there = True
        while is_there and (tried := self._next()):
            answer, error = None, None
            try:
                answer = self._processes[number].do(tried.item)
            except EOFError:
                is_there = self._replace(number)
            except Exception as raised:
                error = raised
            try:
                self._done(tried, answer, error)
            except Exception as raised:
                # A note is raised where a filter makes warnings exceptions.
                tried.future.set_exception(raised)

    def _next(self) -> Tried | None:
        """Wait for a task that may start; None once the work is given up."""
        with self._changed:
            while not self._closed:
                if tried := self._tries.next(self.places):
                    return tried
                self._changed.wait()
            return None

    def _replace(self, number: int) -> bool:
        """Start a process in the place of one that died; return whether there is one."""
        try:
            self._processes[number].end(time.monotonic() + END_S)
            with self._changed:
                if self._closed:
                    return False
                self._processes[number] = _Process(self._order, number)
            self._processes[number].opened()
        except Exception as error:
            with self._changed:
                self.places -= 1
                if not self.places:
                    self._broken = error
            return False
        return True

    def _done(self, tried: Tried, answer: Answer | None, error: Exception | None) -> None:
        """Take what became of a task; without an answer or an error its process has died."""
        with self._changed:
            if self._closed:
                return
            is_tried_again = self._tries.ended(tried, losses=not (answer or error))
            self._changed.notify_all()
        for path, note in answer.notes if answer else ():
            warnings.warn(FileNote(path, note), stacklevel=1)
        if is_tried_again:
            return
        if answer and not answer.absent:
            tried.future.set_result(answer.value)
        elif answer:
            tried.future.set_exception(ImageError("no such file; check the path"))
        else:
            tried.future.set_exception(error or ImageError(tried.lost_words))


class _Process:
    """A process, the connection to it, and what ends it when it is closed, as by the end of this one."""

    def __init__(self, order: Order, number: int) -> None:
        # A copy of this process would have its locks, but not the threads that hold them.
        context = multiprocessing.get_context("spawn")
        with contextlib.ExitStack() as theirs:
            try:
                self._connection, connection = context.Pipe()
                theirs.enter_context(connection)
                life, self._life = context.Pipe(duplex=False)
                theirs.enter_context(life)
                self._process = context.Process(target=_serve, args=(connection, life, order, number))
                _require_enterable(Path.cwd())
                with _safe_path(), _signals_blocked():
                    self._process.start()
            except OSError as error:
                raise ClusterError(
                    f"no process can be started ({error.strerror or error}); {FEWER}"
                ) from None

    def opened(self) -> Mapping[str, Any]:
        """Wait until the tool is opened, and return its facts, or raise its error."""
        try:
            facts: Mapping[str, Any] = self._received()
        except EOFError:
            raise ClusterError(f"a process died as it started; {FEWER}") from None
        return facts

    def do(self, item: tuple[Any, ...]) -> Answer:
        """Have a task done; EOFError if the process dies, and else what the tool raises."""
        with contextlib.suppress(OSError):
            self._connection.send(item)
        answer: Answer = self._received()
        return answer

    def _received(self) -> Any:
        try:
            sent = self._connection.recv()
        except OSError:
            raise EOFError from None
        if isinstance(sent, Exception):
            raise sent
        return sent

    def stop(self) -> None:
        """Tell the process to end."""
        self._life.close()

    def end(self, end_s: float) -> None:
        """Wait until a time of `time.monotonic` for the end of a process, then enforce it."""
        self._process.join(max(0.0, end_s - time.monotonic()))
        self._process.kill()
        self._process.join(END_S)


def _require_enterable(folder: Path) -> None:
    """Refuse a working folder that a process cannot enter by its path, though this one is in it."""
    if not os.access(folder, os.X_OK):
        raise ClusterError(f"{folder}: processes cannot enter the working folder; change to another")


@contextlib.contextmanager
def _signals_blocked() -> Iterator[None]:
    """Let processes that start meanwhile get no signal until they say that they ignore it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, stopping.SIGNALS)
    try:
        # Python starts it with the first process, and then unblocks signals.
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, stopping.SIGNALS)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _safe_path() -> Iterator[None]:
    """Let processes that start meanwhile import nothing from the working folder that this one would not."""
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = before


def _serve(connection: Connection, life: Connection, order: Order, number: int) -> None:
    """Do what comes by a connection, until the other is closed: what a process runs."""
    # A terminal and batch systems send signals to all processes; whoever started this one ends it.
    for each in stopping.SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, stopping.SIGNALS)
    threading.Thread(target=_end_with, args=(life,), daemon=True).start()
    keep_notes()
    with contextlib.suppress(EOFError, OSError):
        try:
            tool = order.open(number)
        except Exception as error:
            connection.send(_told(error))
            return
        connection.send(tool.facts)
        while True:
            _send(connection, _answer(tool, connection.recv()))


def _send(connection: Connection, answer: Answer | BeadctlError) -> None:
    """Send what became of a task, or why that cannot be sent."""
    try:
        connection.send(answer)
    except OSError:
        raise
    except Exception as error:
        connection.send(_told(error))


def _answer(tool: Tool, item: tuple[Any, ...]) -> Answer | BeadctlError:
    """Do a task, and return what the tool returns or raises."""
    try:
        return Answer(tool.work(*item), noted())
    except (FileNotFoundError, NotADirectoryError) as error:
        return Answer(notes=noted(), absent=str(error.filename))
    except Exception as error:
        return _told(error)


def _told(error: Exception) -> BeadctlError:
    """Return an error that can be sent: another one might need what this process alone has."""
    if isinstance(error, BeadctlError):
        return error
    return ClusterError(f"internal error, please report it: {type(error).__name__}: {error}")


def _end_with(life: Connection) -> None:
    """Leave once a connection is closed, with no temporary file left."""
    with contextlib.suppress(EOFError, OSError):
        life.recv_bytes()
    stopping.leave(ExitCode.TERMINATED)
