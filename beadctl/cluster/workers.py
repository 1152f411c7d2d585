"""The workers of a cluster at work on one order: each task is tried again where a worker is lost with it."""

import secrets
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beadctl import __version__
from beadctl.cluster import worker
from beadctl.cluster.place import Place
from beadctl.cluster.worker import Answer, Order, Task
from beadctl.errors import BeadctlError, ClusterError, FileNote, ImageError

if TYPE_CHECKING:
    import distributed

# Workers that may be lost with a task before it is tried alone.
TRIES = 2
# Tasks of each thread of a worker: one that it does, and the next, so that it waits for none.
EACH = 2
# How often the workers are counted while nothing else asks for them, and how long they may take to stop.
COUNT_S, STOP_S = 2.0, 1.0
LOST = "at last with nothing else beside it; is it too large for the memory of a worker?"


@dataclass(eq=False)
class _Tried:
    """A task that is to be done, and how often a worker was lost with it."""

    task: Task
    future: Future[Any]
    losses: int = 0
    running: "distributed.Future[Answer] | None" = None


class Workers:
    """Has the tasks of an order done.

    A worker that is lost may have been killed by its task. Such a task is tried again, like any other; after
    `TRIES` losses it is tried with no other beside it, and if its worker is lost once more, it is given up.

    Parameters
    ----------
    client : distributed.Client
        The connection.
    place : Place
        Where the workers are, for messages.
    order : Order
        What is to be done.
    patience_s : float
        How long there may be no worker at all; infinite for workers that wait in a queue.
    refill : callable
        Called now and then, to replace workers that have ended.

    Raises
    ------
    ClusterError, BeadctlError
        If a worker has another beadctl, or cannot open what the order needs.
    """

    def __init__(
        self,
        client: "distributed.Client",
        place: Place,
        order: Order,
        patience_s: float,
        refill: Callable[[], object] = lambda: None,
    ) -> None:
        self._client, self._place, self._patience_s, self._refill = client, place, patience_s, refill
        self._task = Task(order, secrets.token_hex(8), __version__)
        self._lock, self._closed, self._number = threading.RLock(), False, 0
        self._waiting, self._suspects = deque[_Tried](), deque[_Tried]()
        self._running = set[_Tried]()
        self._alone: _Tried | None = None
        self._seen_s = self._counted_s = time.monotonic()
        self.facts = self._ready()

    @property
    def places(self) -> int:
        """Tasks that the workers do at a time."""
        threads: int = sum(self._client.nthreads().values())
        return max(1, threads)

    def submit(self, *item: Any) -> Future[Any]:
        """Have a task done; its future gets what `Tool.work` returns, or its error.

        A task that is given up is an `ImageError`; `ClusterError` tells that the workers cannot do any.
        """
        tried = _Tried(replace(self._task, item=item), Future())
        with self._lock:
            self._waiting.append(tried)
        try:
            self._start()
        except Exception:
            raise self._lost() from None
        return tried.future

    def check(self) -> None:
        """Raise `ClusterError` if the scheduler is lost, or all workers are for too long."""
        if self._client.status != "running":
            raise self._lost()
        now = time.monotonic()
        if now - self._counted_s < COUNT_S:
            return
        self._counted_s = now
        try:
            is_manned = bool(self._client.nthreads())
        except Exception:
            raise self._lost() from None
        if is_manned:
            self._seen_s = now
            self._start()
        elif now - self._seen_s > self._patience_s:
            raise ClusterError(
                f"--cluster {self._place}: has had no worker for {self._patience_s:g} s; start workers, then "
                "run again to go on"
            )
        self._refill()

    def give_up(self) -> None:
        """Start no further task, and end those that are at work."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            running = [tried.running for tried in self._running if tried.running]
        # The scheduler, too, may be lost.
        with suppress(Exception):
            self._client.sync(self._stop, running, callback_timeout=STOP_S)

    async def _stop(self, running: list["distributed.Future[Answer]"]) -> None:
        await self._client.cancel(running, force=True)
        if running:
            await self._client.run(worker.give_up, self._task.run, on_error="ignore")

    def _ready(self) -> Mapping[str, Any]:
        """Have all workers open what the order needs, and return the facts that they agree in, or all."""
        for name, version in self._client.run(worker.version, on_error="return").items():
            if version != __version__:
                has = f"beadctl {version}" if isinstance(version, str) else "no such beadctl"
                raise ClusterError(f"worker {name}: has {has}; install {__version__} there")
        found = self._client.run(worker.ready, self._task, on_error="return")
        for name, facts in found.items():
            if isinstance(facts, BeadctlError):
                raise facts
            if isinstance(facts, Exception):
                raise ClusterError(f"worker {name}: {type(facts).__name__}: {facts}")
        names = dict.fromkeys(name for facts in found.values() for name in facts)
        values = {name: _each_once([facts.get(name) for facts in found.values()]) for name in names}
        return {name: several if len(several) > 1 else several[0] for name, several in values.items()}

    def _start(self) -> None:
        """Start what there is a place for."""
        with self._lock:
            while tried := self._next():
                self._running.add(tried)
                self._number += 1
                tried.running = self._client.submit(
                    worker.work, tried.task, key=f"{tried.task.run}-{self._number}", pure=False
                )
                tried.running.add_done_callback(lambda _, tried=tried: self._done(tried))

    def _next(self) -> _Tried | None:
        if self._closed or self._alone:
            return None
        if self._suspects:
            if self._running:
                return None
            self._alone = self._suspects.popleft()
            return self._alone
        if self._waiting and len(self._running) < EACH * self.places:
            return self._waiting.popleft()
        return None

    def _done(self, tried: _Tried) -> None:
        """Take what became of a task, and start others."""
        answer, error, losses = _outcome(tried.running)
        with self._lock:
            # Nothing holds the result on its worker any more.
            tried.running = None
            self._running.discard(tried)
            was_alone = self._alone is tried
            if was_alone:
                self._alone = None
            tried.losses += losses
            if losses and not was_alone:
                (self._waiting.appendleft if tried.losses < TRIES else self._suspects.append)(tried)
        if self._closed:
            return
        if answer:
            for path, note in answer.notes:
                warnings.warn(FileNote(path, note), stacklevel=1)
        if answer and not answer.absent:
            tried.future.set_result(answer.value)
        elif was_alone or not losses:
            tried.future.set_exception(self._error(answer, error, tried.losses))
        self._start()

    def _error(self, answer: Answer | None, error: BaseException | None, losses: int) -> BaseException:
        """Return why a task is not done."""
        if losses:
            return ImageError(f"its worker died {losses} times, {LOST}")
        if answer:
            if not Path(answer.absent).exists():
                return ImageError("no such file; check the path")
            return ClusterError(
                f"worker {answer.worker}: {answer.absent} is not there; workers need the same folders, by a "
                "shared file system"
            )
        if isinstance(error, CancelledError):
            return self._lost()
        if isinstance(error, ImportError | AttributeError) or "deserialization" in str(error):
            return ClusterError(
                f"--cluster {self._place}: scheduler and workers need beadctl {__version__} ({error})"
            )
        return error or self._lost()

    def _lost(self) -> ClusterError:
        return ClusterError(f"--cluster {self._place}: the scheduler is lost; run again to go on")


def _outcome(running: "distributed.Future[Answer] | None") -> tuple[Answer | None, BaseException | None, int]:
    """Return the answer, or the error, and how many workers were lost with the task."""
    from distributed import KilledWorker

    assert running is not None
    try:
        return running.result(), None, 0
    except KilledWorker as error:
        # The scheduler itself may have tried the task several times.
        return None, error, error.allowed_failures + 1
    except BaseException as error:
        return None, error, 0


def _each_once(values: Sequence[Any]) -> list[Any]:
    return [value for place, value in enumerate(values) if value not in values[:place]]
