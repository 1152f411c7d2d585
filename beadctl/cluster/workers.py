"""The workers of a cluster at work on one order: each task is tried again where a worker is lost with it."""

import secrets
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beadctl import __version__
from beadctl.cluster import worker
from beadctl.cluster.place import Place
from beadctl.cluster.tries import Tried, Tries
from beadctl.cluster.worker import Answer, Order, Task, merged
from beadctl.errors import BeadctlError, ClusterError, FileNote, ImageError

if TYPE_CHECKING:
    import distributed

# Tasks of each thread of a worker: one that it does, and the next, so that it waits for none.
EACH = 2
# How often the workers are counted while nothing else asks for them, and how long they may take to stop.
COUNT_S, STOP_S = 2.0, 1.0


class Workers:
    """Has the tasks of an order done.

    What becomes of the task of a worker that is lost, `beadctl.cluster.tries.Tries` says.

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
        self._tries = Tries()
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
        tried = Tried(item, Future())
        with self._lock:
            self._tries.add(tried)
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
            has_workers = bool(self._client.nthreads())
        except Exception:
            raise self._lost() from None
        if has_workers:
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
            remote = [tried.remote for tried in self._tries.running if tried.remote]
        # The scheduler, too, may be lost.
        with suppress(Exception):
            self._client.sync(self._stop, remote, callback_timeout=STOP_S)

    async def _stop(self, remote: list["distributed.Future[Answer]"]) -> None:
        await self._client.cancel(remote, force=True)
        if remote:
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
        return merged(list(found.values()))

    def _start(self) -> None:
        """Start what there is a place for."""
        with self._lock:
            while not self._closed and (tried := self._tries.next(EACH * self.places)):
                self._number += 1
                key = f"{self._task.run}-{self._number}"
                task = replace(self._task, item=tried.item)
                tried.remote = self._client.submit(worker.work, task, key=key, pure=False)
                tried.remote.add_done_callback(lambda _, tried=tried: self._done(tried))

    def _done(self, tried: Tried) -> None:
        """Take what became of a task, and start others."""
        answer, error, losses = _outcome(tried.remote)
        with self._lock:
            is_tried_again = self._tries.ended(tried, losses)
        if self._closed:
            return
        if answer:
            for path, note in answer.notes:
                warnings.warn(FileNote(path, note), stacklevel=1)
        if answer and not answer.absent:
            tried.future.set_result(answer.value)
        elif not is_tried_again:
            lost = ImageError(tried.lost_words) if losses else None
            tried.future.set_exception(lost or self._error(answer, error))
        self._start()

    def _error(self, answer: Answer | None, error: BaseException | None) -> BaseException:
        """Return why a task is not done."""
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


def _outcome(remote: "distributed.Future[Answer] | None") -> tuple[Answer | None, BaseException | None, int]:
    """Return the answer, or the error, and how many workers were lost with the task."""
    from distributed import KilledWorker

    assert remote is not None
    try:
        return remote.result(), None, 0
    except KilledWorker as error:
        # The scheduler itself may have tried the task several times.
        return None, error, error.allowed_failures + 1
    except BaseException as error:
        return None, error, 0
