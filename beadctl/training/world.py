"""The processes that train one network together, as ``torchrun`` starts them; most runs have one.

Each process has the whole network. The micro-batches of an optimiser step are dealt out in turn, each process
adds up the gradients of its own, and one sum over all processes follows. So a step of N processes is that of
one with N times as many micro-batches, no process waits for another within a step, and one that has no
micro-batch in the last step of an epoch adds zeros. `torch.nn.parallel.DistributedDataParallel` would need
``no_sync``, ``join`` and a further exchange for the sums of the terms to do the same.

Batch normalisation takes the statistics of each micro-batch, as it does where gradients are accumulated. Its
running statistics are averaged over the processes with the gradients.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import zip_longest
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.distributed import TCPStore  # type: ignore[attr-defined]
from torch.distributed.rendezvous import rendezvous

from beadctl.errors import TrainingError
from beadctl.launch import Launch

T = TypeVar("T")

# How long processes wait for the others to start, and in an exchange: one may be validating larger images.
START = timedelta(minutes=5)
EXCHANGE = timedelta(minutes=30)
# How long a process that fails looks for the others' place of meeting.
LAST_LOOK = timedelta(seconds=5)
# Most characters of an error of PyTorch that a message quotes.
WORDS = 160

# What fills the last turn where items do not go round.
NOTHING: Any = object()


@dataclass(frozen=True)
class World:
    """The processes of a run, seen from one of them; a single one exchanges nothing.

    Attributes
    ----------
    rank, size : int
        Which one this is, from 0, and how many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes and tells."""
        return self.rank == 0

    def own(self, items: Sequence[T]) -> Sequence[T]:
        """Return this process's share of items, which are dealt out in turn."""
        return items[self.rank :: self.size]

    def draw_apart(self, seed: int, epoch: int) -> None:
        """Give each process random numbers of its own, for dropout; those of an epoch are always the same."""
        if self.size > 1:
            words = np.random.SeedSequence([seed, epoch, self.rank]).generate_state(2)
            torch.manual_seed(int(words[0]) << 32 | int(words[1]))

    def follow_first(self, tensors: Iterable[Tensor]) -> None:
        """Give all processes the values of the first one."""
        if self.size > 1:
            with self._in_touch():
                for tensor in tensors:
                    distributed.broadcast(given := tensor.contiguous(), 0)
                    tensor.copy_(given)

    def sum_gradients(self, parameters: Iterable[nn.Parameter], statistics: Iterable[Tensor]) -> None:
        """Add up the gradients of all processes, and average running statistics, in one exchange."""
        if self.size == 1:
            return
        gradients = list[Tensor]()
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            gradients.append(parameter.grad)
        averaged = list(statistics)
        torch._foreach_div_(averaged, self.size)
        self.add(*gradients, *averaged)

    def add(self, *tensors: Tensor) -> None:
        """Replace tensors of one dtype by their sums over all processes, in one exchange."""
        if self.size == 1:
            return
        packed = torch.cat([tensor.flatten() for tensor in tensors])
        with self._in_touch():
            distributed.all_reduce(packed)
        first = 0
        for tensor in tensors:
            tensor.copy_(packed[first : first + tensor.numel()].view(tensor.shape))
            first += tensor.numel()

    def largest(self, value: float) -> float:
        """Return the largest value of all processes."""
        if self.size == 1:
            return value
        held = torch.tensor(value, dtype=torch.float64)
        with self._in_touch():
            distributed.all_reduce(held, distributed.ReduceOp.MAX)
        return float(held)

    def any(self, answer: bool) -> bool:
        """Return whether the answer of any process is yes."""
        return bool(self.largest(float(answer)))

    def joined(self, own: Sequence[T]) -> list[T]:
        """Return the items of all processes in the order in which `own` dealt them out."""
        dealt = zip_longest(*self._all(own), fillvalue=NOTHING)
        return [item for turn in dealt for item in turn if item is not NOTHING]

    def require_same(self, facts: Mapping[str, Any]) -> None:
        """Check that all processes compute the same.

        Raises
        ------
        TrainingError
            If a fact differs; the message names it.
        """
        first, *others = self._all(dict(facts))
        for rank, other in enumerate(others, 1):
            for name, value in first.items():
                if other.get(name) != value:
                    raise TrainingError(
                        f"process {rank} of {self.size} has {name} = {other.get(name)}, the first {value}; "
                        "give all of them the same files and settings"
                    )

    def _all(self, own: Any) -> list[Any]:
        """Return what each process gives, by rank."""
        given = [own] * self.size
        if self.size > 1:
            with self._in_touch():
                distributed.all_gather_object(given, own)
        return given

    @contextmanager
    def _in_touch(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            raise TrainingError(
                f"process {self.rank} of {self.size} lost another one ({_reason(error).partition('. ')[0]}); "
                "the last finished epoch is kept, go on with --resume"
            ) from None


ALONE = World()


@contextmanager
def meeting(launch: Launch, device: str) -> Iterator[World]:
    """Join the processes of a launch while the block lasts.

    Parameters
    ----------
    launch : Launch
        Which one this is.
    device : str
        Where it computes: ``cpu``, or ``cuda:N`` for a GPU of its own.

    Raises
    ------
    TrainingError
        If the others do not come, or their place of meeting cannot be used.
    """
    if launch.size == 1:
        yield ALONE
        return
    world, backend = World(launch.rank, launch.size), "gloo"
    if device.startswith("cuda"):
        # What is on the CPU is exchanged there: the end of another process is seen at once.
        backend = "cpu:gloo,cuda:nccl"
        torch.cuda.set_device(device)
    try:
        store, rank, size = next(rendezvous("env://", timeout=START))
        store.set_timeout(START)
        distributed.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=EXCHANGE)
    except (RuntimeError, ValueError) as error:
        raise TrainingError(
            f"process {world.rank} of {world.size} cannot meet the others ({_reason(error)}); "
            "start all of them with torchrun, and a port that is free"
        ) from None
    yield world
    # After an error it would wait for what is still under way.
    distributed.destroy_process_group()


def is_first_to_fail() -> bool:
    """Return whether no process of this launch has failed before; the others end because that one did.

    Where the place of meeting cannot be reached, its host is gone, and every process tells what it knows.
    """
    again = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    try:
        store = TCPStore(host, port, is_master=False, timeout=LAST_LOOK, wait_for_workers=False)
        return bool(store.add(f"beadctl/failed/{again}", 1) == 1)
    except (RuntimeError, ValueError):
        return True


def _reason(error: Exception) -> str:
    """Return the first words of an error of PyTorch, without the place in its source."""
    line = str(error).partition("\n")[0]
    return re.sub(r"^\[[^]]*\] *", "", line)[:WORDS] or type(error).__name__
