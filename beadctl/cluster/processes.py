"""Processes of this computer at work on one order, each on a task at a time."""

import contextlib
import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from multiprocessing.connection import Connection
from typing import Any

from beadctl.cluster.place import Local
from beadctl.cluster.tries import Tried, Tries
from beadctl.cluster.worker import Answer, Order, Tool, keep_notes, merged, noted
from beadctl.console import stopping
from beadctl.errors import BeadctlError, ClusterError, FileNote, ImageError

# How long a process that has nothing to do may take to end by itself.
END_S = 5.0
FEWER = "is there memory for so many? Give fewer by --cluster local:N"


class Processes:
    """Has the tasks of an order done by processes that end with this one, whatever ends it.

    A process that dies is replaced, and its task tried again as `beadctl.cluster.tries.Tries` says.

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
        self._broken: BeadctlError | None = None
        self.places = place.workers
        self._processes = list[_Process]()
        try:
            for number in range(place.workers):
                self._processes.append(_Process(order, number))
            self.facts = merged([process.opened() for process in self._processes])
        except BaseException:
            self.give_up()
            raise
        for number in range(place.workers):
            threading.Thread(target=self._work, args=(number,), daemon=True).start()

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
        """Raise an error if a process that died cannot be replaced."""
        if self._broken:
            raise self._broken

    def give_up(self) -> None:
        """Start no further task, and end the processes: at once where they work, else in good order."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            running = {tried.running for tried in self._tries.running}
        for number, process in enumerate(self._processes):
            process.stop(at_once=number in running)
        for process in self._processes:
            process.end()

    def _work(self, number: int) -> None:
        """Give a process one task after another."""
        while tried := self._next(number):
            answer, error = None, None
            try:
                answer = self._processes[number].do(tried.item)
            except EOFError:
                self._replace(number)
            except Exception as raised:
                error = raised
            try:
                self._done(tried, answer, error)
            except Exception as raised:
                # A note is raised where a filter makes warnings exceptions.
                tried.future.set_exception(raised)

    def _next(self, number: int) -> Tried | None:
        with self._changed:
            while not self._closed:
                if tried := self._tries.next(self.places):
                    tried.running = number
                    return tried
                self._changed.wait()
            return None

    def _replace(self, number: int) -> None:
        """Start a process in the place of one that died."""
        self._processes[number].end()
        try:
            with self._changed:
                if self._closed:
                    return
                self._processes[number] = _Process(self._order, number)
            self._processes[number].opened()
        except BeadctlError as error:
            self._broken = error

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
    """A process, and the connection to it."""

    def __init__(self, order: Order, number: int) -> None:
        # A copy of this process would have its locks, but not the threads that hold them.
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, order, number))
        try:
            with _signals_blocked():
                self._process.start()
        except OSError as error:
            raise ClusterError(f"no process can be started ({error.strerror or error}); {FEWER}") from None
        finally:
            theirs.close()

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

    def stop(self, *, at_once: bool) -> None:
        """Let the process end, at once or when it has nothing to do."""
        if at_once:
            self._process.kill()
        else:
            self._connection.close()

    def end(self) -> None:
        """Wait for the end of a process that was told to stop."""
        self._process.join(END_S)
        self._process.kill()


@contextlib.contextmanager
def _signals_blocked() -> Iterator[None]:
    """Let processes that start meanwhile get no signal until they say that they ignore it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, stopping.SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(connection: Connection, order: Order, number: int) -> None:
    """Do what comes by a connection, until it is closed: what a process runs."""
    # A terminal and batch systems send signals to all processes; whoever started this one ends it.
    for each in stopping.SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, stopping.SIGNALS)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    keep_notes()
    with contextlib.suppress(EOFError, OSError):
        try:
            tool = order.open(number)
        except Exception as error:
            connection.send(_told(error))
            return
        connection.send(tool.facts)
        while True:
            connection.send(_answer(tool, connection.recv()))


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


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent
    parent.join()
    os._exit(1)
