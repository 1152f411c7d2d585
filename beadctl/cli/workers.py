"""The workers that share a run: those that are asked for, or processes of this computer for many images."""

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial

from beadctl.cli.settings import Settings
from beadctl.cluster.certificates import Certificates
from beadctl.cluster.place import Place, parse
from beadctl.cluster.start import workers_for
from beadctl.cluster.worker import Order
from beadctl.console import Messages
from beadctl.errors import BeadctlError
from beadctl.images import Found
from beadctl.memory import available
from beadctl.results.orders import ImageOrder, NetworkOrder, own_processes
from beadctl.results.outputs import Outputs
from beadctl.results.remaining import remaining
from beadctl.results.shards import Part
from beadctl.results.sources import ByLabels, ByNetwork, Source
from beadctl.results.workers import Workers


@contextlib.contextmanager
def with_workers(
    found: ByNetwork | ByLabels,
    images: Sequence[Found] | Part,
    settings: Settings,
    outputs: Outputs,
    messages: Messages,
) -> Iterator[Source]:
    """Yield a source of beads with the workers that are asked for, or processes for many images.

    Images that an earlier run has done need none.
    """
    part = images if isinstance(images, Part) else None
    left = remaining(images.found if isinstance(images, Part) else images, outputs)
    where, threads = shared_among(settings, replace(part, found=left) if part else left, found.threads)
    # A shard without workers computes blocks of large images for others, for which no cluster was asked.
    if where is None or not (left or (part and part.large)):
        yield found
        return
    if isinstance(found, ByNetwork):
        ordered: NetworkOrder | ByLabels = network_order(settings, found, where, threads)
    else:
        ordered = replace(found, asked_threads=threads)
    with contextlib.ExitStack() as stack:
        workers = entered(stack, where, ImageOrder.of(ordered, outputs), settings, messages)
        yield replace(found, workers=workers)


def entered(
    stack: contextlib.ExitStack, where: Place, order: Order, settings: Settings, messages: Messages
) -> Workers | None:
    """Return workers that end with a stack; None where processes that nobody asked for cannot be started."""
    try:
        return stack.enter_context(workers_of(where, order, settings, messages))
    except BeadctlError as error:
        if settings.cluster.workers:
            raise
        messages.warn(f"{error}; this process does all the work")
        return None


def shared_among(
    settings: Settings, images: Sequence[object] | Part, threads: int
) -> tuple[Place | None, int | None]:
    """Return the workers that are asked for, or processes for many images, and the threads of each.

    The threads are those that the network has here; None for what a worker may use.
    """
    if settings.cluster.workers:
        return parse(settings.cluster.workers), settings.inference.threads
    where = own_processes(images, threads, partial(available, settings.inference.max_memory))
    return where, threads // where.workers if where else None


def workers_of(
    where: Place, order: Order, settings: Settings, messages: Messages
) -> AbstractContextManager[Workers]:
    """Return a context with the workers of a cluster at work on an order."""
    asked = settings.cluster
    certificates = Certificates.of(asked.tls_ca, asked.tls_cert, asked.tls_key)
    return workers_for(where, order, certificates=certificates, timeout_s=asked.timeout_s, messages=messages)


def network_order(settings: Settings, source: ByNetwork, where: Place, threads: int | None) -> NetworkOrder:
    """Return how workers, of so many threads each, open the model file of a source.

    Processes that nobody asked for run it on the device that this one has found, which is then the CPU.
    """
    asked = settings.inference
    device = asked.device if settings.cluster.workers else source.model.device
    return NetworkOrder(
        asked.model and asked.model.absolute(),
        source.model.sha256,
        device,
        threads,
        asked.max_memory,
        asked.tile_size,
        where.sharing,
        source.options,
    )
