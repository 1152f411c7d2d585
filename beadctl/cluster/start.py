"""Starts the workers of a cluster, or joins those that run, and ends what it started."""

import contextlib
import logging
import math
import time
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from beadctl.cluster import queue
from beadctl.cluster.certificates import Certificates, temporary
from beadctl.cluster.place import JobQueue, Local, Place, Scheduler
from beadctl.cluster.processes import Processes
from beadctl.cluster.worker import Order
from beadctl.cluster.workers import Workers
from beadctl.console import Messages, stopping
from beadctl.errors import ClusterError, SettingsError
from beadctl.words import number_of

if TYPE_CHECKING:
    import distributed
    from distributed.deploy.spec import SpecCluster

# How long jobs and their scheduler may take to end.
CLOSE_S = 5.0
POLL_S = 0.1


@contextlib.contextmanager
def workers_for(
    place: Place,
    order: Order,
    *,
    certificates: Certificates | None = None,
    timeout_s: float = 30,
    messages: Messages,
) -> Iterator[Workers | Processes]:
    """Have workers ready for an order while the block lasts.

    Parameters
    ----------
    place : Place
        Where they are.
    order : Order
        What is to be done.
    certificates : Certificates, optional
        For TLS. Without them, connections to workers that are started here are encrypted by certificates that
        are made for the purpose; those to a scheduler that runs already are as Dask's own settings say.
    timeout_s : float
        How long the scheduler, and its first worker, may take to answer.
    messages : Messages
        Tells how many workers there are.

    Raises
    ------
    ClusterError
        If the scheduler cannot be reached, there are no workers, or they cannot do the work.
    SettingsError
        If the file of a job queue cannot be used.
    MissingExtraError
        If Dask is not installed.
    """
    if isinstance(place, Local):
        processes = Processes(place, order)
        try:
            messages.info(f"the work is shared by {number_of(place.workers, 'process', 'processes')}")
            yield processes
        finally:
            with stopping.finishing():
                processes.give_up()
        return
    _silence()
    with contextlib.ExitStack() as stack:
        address, security, refill = _scheduler(place, certificates, stack)
        client = stack.enter_context(_connected(address, security, place, timeout_s))
        if isinstance(place, JobQueue):
            messages.info(f"cluster {place}: waiting for the first job to start")
        patience_s = math.inf if isinstance(place, JobQueue) else timeout_s
        _wait_for_worker(client, place, patience_s)
        workers = Workers(client, place, order, patience_s, refill)
        stack.callback(workers.give_up)
        threads = client.nthreads()
        messages.info(f"cluster {place}: workers {len(threads)}, images at a time {sum(threads.values())}")
        yield workers


def _scheduler(
    place: Scheduler | JobQueue, certificates: Certificates | None, stack: contextlib.ExitStack
) -> tuple[str, "distributed.Security | None", Callable[[], object]]:
    """Return the address of a scheduler, how it is talked to, and what replaces workers that have ended."""
    if isinstance(place, Scheduler):
        return place.address, _of_scheduler(place, certificates), lambda: None
    security = certificates.security() if certificates else temporary()
    cluster = stack.enter_context(queue.opened(place.file, security))
    stack.callback(_close, cluster)
    return cluster.scheduler_address, security, queue.Jobs(cluster, place.jobs).keep


def _of_scheduler(place: Scheduler, certificates: Certificates | None) -> "distributed.Security":
    """Return how a scheduler that runs already is talked to."""
    from distributed import Security

    is_encrypted = place.address.startswith("tls://")
    if certificates and not is_encrypted:
        raise SettingsError(f"--cluster {place}: certificates are given; write tls://{place.address[6:]}")
    security = certificates.security() if certificates else Security()
    if is_encrypted and not security.get_connection_args("client")["ssl_context"]:
        raise SettingsError(
            f"--cluster {place}: TLS needs certificates; set tls_ca, tls_cert and tls_key in [cluster]"
        )
    return security


@contextlib.contextmanager
def _connected(
    address: str, security: "distributed.Security | None", place: Place, timeout_s: float
) -> Iterator["distributed.Client"]:
    from distributed import Client

    try:
        client = Client(address, security=security, timeout=timeout_s, set_as_default=False)
    except (OSError, ValueError, RuntimeError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ClusterError(
            f"--cluster {place}: no answer within {timeout_s:g} s ({reason}); is the scheduler running?"
        ) from None
    try:
        yield client
    finally:
        with stopping.finishing(), contextlib.suppress(Exception):
            client.close(timeout=CLOSE_S)


def _wait_for_worker(client: "distributed.Client", place: Place, most_s: float) -> None:
    began = time.monotonic()
    while not client.nthreads():
        if time.monotonic() - began > most_s:
            raise ClusterError(f"--cluster {place}: has no workers; start some, such as: dask worker {place}")
        time.sleep(POLL_S)


def _close(cluster: "SpecCluster") -> None:
    """End jobs, and the scheduler."""
    with stopping.finishing(), contextlib.suppress(Exception):
        cluster.close(timeout=CLOSE_S)


def _silence() -> None:
    """Keep from standard error what Dask says in its own words of what is told here in one line."""
    import distributed

    warnings.filterwarnings("ignore", module="distributed")
    warnings.filterwarnings("ignore", category=distributed.versions.VersionMismatchWarning)
    for name in ("distributed", "tornado", "asyncio", "dask_jobqueue"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
