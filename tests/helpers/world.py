"""Processes that train together, as torchrun starts them, from one that has imported what they need."""

import json
import multiprocessing
import os
import socket
import sys
from collections.abc import Callable
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path

from helpers.kills import IMPORTED


def free_port() -> int:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return place.getsockname()[1]


def variables(rank: int, size: int, port: int) -> dict[str, str]:
    """What torchrun sets for a process on one machine."""
    numbers = {"RANK": rank, "WORLD_SIZE": size, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": size}
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_USE_AGENT_STORE": True}
    return {name: str(value) for name, value in (numbers | place).items()}


@contextmanager
def started(folder: Path, act: Callable[..., None], *arguments: object, size: int = 2):
    """Start processes that call `act` in a folder, whose files ``said-N`` take what they say."""
    from torch.distributed import TCPStore

    # Like torchrun, this process outlives the others, and so does their place of meeting.
    place = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=timedelta(minutes=2))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(IMPORTED))
    processes = [
        context.Process(target=_process, args=(folder, variables(rank, size, place.port), act, arguments))
        for rank in range(size)
    ]
    for process in processes:
        process.start()
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.join()


def ended(processes: list[BaseProcess], folder: Path) -> tuple[list[int], str]:
    """Wait for processes; return their exit codes and what all of them said."""
    for process in processes:
        process.join(300)
        assert process.exitcode is not None, "it hangs"
    said = [folder / f"said-{rank}" for rank in range(len(processes))]
    text = "".join(path.read_text() for path in said if path.exists())
    return [process.exitcode for process in processes], text


def _process(folder: Path, environment: dict[str, str], act: Callable[..., None], arguments: tuple) -> None:
    os.chdir(folder)
    os.environ |= environment
    sys.stdout = sys.stderr = Path(f"said-{environment['RANK']}").open("w", buffering=1)
    for number in (1, 2):
        os.dup2(sys.stderr.fileno(), number)
    act(*arguments)


def command(*words: object) -> None:
    """Run the command line."""
    from beadctl.cli.main import main

    sys.argv = ["beadctl", *map(str, words)]
    main()


def frozen_training(plan, tiles: Path, device: str = "cpu") -> None:
    """Train into ``run`` with frozen batch normalisation.

    Each process leaves its last state in ``state-N.pt``, and in ``sums-N.json`` how many numbers it exchanged
    in each sum.
    """
    import torch
    from torch import distributed, nn

    from beadctl.training.options import TrainOptions, together
    from beadctl.training.run_folder import RunFolder
    from beadctl.training.train import train
    from beadctl.training.unet import UNet

    rank = os.environ.get("RANK", "0")
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    sums, save, add = list[int](), RunFolder.save, distributed.all_reduce
    UNet.train = lambda self, _=True: nn.Module.train(self, False)
    RunFolder.save = lambda self, state: (torch.save(vars(state), f"state-{rank}.pt"), save(self, state))
    distributed.all_reduce = lambda held, *more: (sums.append(held.numel()), add(held, *more))
    with together(TrainOptions(device, workers=0, threads=1)) as options:
        train(plan, Path("run"), tiles=tiles, options=options)
    Path(f"sums-{rank}.json").write_text(json.dumps(sums))
