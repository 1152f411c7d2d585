"""How a training run is carried out, apart from what it computes (`beadctl.training.plan`)."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from beadctl.cpus import usable_cpus
from beadctl.launch import Launch
from beadctl.training import device
from beadctl.training.records import EpochRecord, StepRecord
from beadctl.training.world import ALONE, World, meeting


@dataclass(frozen=True)
class TrainOptions:
    """Machine, records and continuation of a run; the trained weights do not depend on them.

    Attributes
    ----------
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    workers, threads : int or None
        Processes that prepare samples, by default two where cores are left, up to eight beside a GPU; and CPU
        threads of the network, by default all that the job may use.
    resume : bool
        Go on with the run in the folder; on a CPU with equal threads the result is bit for bit that of a
        run without a stop.
    gradient_audit : bool
        Measure on the first batch of each epoch where the gradient of every loss falls, and write
        ``gradients.csv``.
    tensorboard : bool
        Write event files of TensorBoard.
    settings : mapping
        Plain values for ``run.json``.
    world : World
        The processes that train together; each trains on its share of every step.
    """

    device: str = "auto"
    workers: int | None = None
    threads: int | None = None
    resume: bool = False
    gradient_audit: bool = False
    tensorboard: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    world: World = ALONE


@dataclass(frozen=True)
class TrainCallbacks:
    """Functions that the loop calls.

    Attributes
    ----------
    on_epoch, on_step : callable
        Take the record of every finished epoch and optimiser step.
    should_stop : callable
        Asked before every micro-batch and validation image; True ends the run with ``last.pt`` of the last
        finished epoch.
    """

    on_epoch: Callable[[EpochRecord], object] = lambda _: None
    on_step: Callable[[StepRecord], None] = lambda _: None
    should_stop: Callable[[], bool] = lambda: False


DEFAULT_OPTIONS, NO_CALLBACKS = TrainOptions(), TrainCallbacks()


def among(options: TrainOptions, number: int, sharing: int) -> TrainOptions:
    """Return the options of one of several processes that share a computer and train apart from one another.

    Parameters
    ----------
    options : TrainOptions
        Those of all.
    number, sharing : int
        Which process it is, from 0, and how many share the computer; see `beadctl.training.device.in_turn`.
    """
    return replace(
        options,
        device=device.in_turn(options.device, number) if sharing > 1 else options.device,
        threads=options.threads or max(1, usable_cpus() // sharing),
        # Processes of a process that has threads are for those who ask for them.
        workers=options.workers or 0,
    )


@contextmanager
def together(options: TrainOptions) -> Iterator[TrainOptions]:
    """Train with the other processes that torchrun started, while the block lasts; without it, alone.

    Yields the options of this process: its own GPU, and its share of the CPUs.

    Raises
    ------
    DeviceError
        If the machine has fewer GPUs than processes.
    TrainingError
        If the other processes cannot be met.
    """
    launch = Launch.of()
    name = device.own(options.device, launch)
    with meeting(launch, name) as world:
        if world is ALONE:
            yield options
            return
        workers = device.workers(options.workers, device.resolve(name), launch.local_size)
        threads = options.threads or usable_cpus(launch.local_size)
        yield replace(options, device=name, workers=workers, threads=threads, world=world)
