"""Device, arithmetic, threads and processes of training; what is not available is an error."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from beadctl import cpus
from beadctl.cpus import usable_cpus
from beadctl.errors import DeviceError
from beadctl.launch import Launch
from beadctl.words import number_of

# On a CPU the workers and the network share the cores; a GPU leaves all of them to the workers.
MOST_WORKERS = {"cpu": 2, "cuda": 8}


def resolve(device: str) -> torch.device:
    """Turn ``auto``, ``cpu``, ``cuda`` or ``cuda:N`` into a device that is available.

    Raises
    ------
    DeviceError
        If CUDA was asked for and is not available, or the name is unknown.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        wanted = torch.device(device)
    except RuntimeError:
        wanted = torch.device("meta")
    if wanted.type == "cpu":
        return wanted
    if wanted.type != "cuda":
        raise DeviceError(f"device {device!r} is unknown; use auto, cpu, cuda or cuda:N")
    if not torch.cuda.is_available():
        raise DeviceError(f"{device} was asked for but this torch finds no CUDA device; use --device cpu")
    if (wanted.index or 0) >= torch.cuda.device_count():
        raise DeviceError(f"{device} was asked for but the last one is cuda:{torch.cuda.device_count() - 1}")
    return wanted


def in_turn(device: str, number: int) -> str:
    """Return the device of one of several processes that train apart from one another.

    Parameters
    ----------
    device, number : str and int
        The device that was asked for, and which process it is, from 0: with ``cuda`` each takes a GPU of its
        own, with ``auto`` the GPUs, if there are any, in turn.
    """
    if device == "auto" and (found := torch.cuda.device_count()):
        return f"cuda:{number % found}"
    return f"cuda:{number}" if device == "cuda" else device


def own(device: str, launch: Launch) -> str:
    """Return the device of one of several processes: those of a machine have a GPU each.

    Raises
    ------
    DeviceError
        If the machine has fewer GPUs than processes, or all were to use the same one.
    """
    if launch.size == 1 or device == "cpu" or resolve(device).type == "cpu":
        return device
    if ":" in device:
        raise DeviceError(f"{device} is one GPU for {launch.local_size} processes; use --device cuda")
    if (found := torch.cuda.device_count()) < launch.local_size:
        raise DeviceError(
            f"{launch.local_size} processes but only {number_of(found, 'GPU')} on this machine; "
            f"use torchrun --nproc-per-node {found}, or --device cpu"
        )
    return f"cuda:{launch.local_rank}"


def arithmetic(precision: str, device: torch.device) -> torch.dtype:
    """Turn ``auto``, ``fp32``, ``bf16`` or ``fp16`` into the dtype of the convolutions.

    ``auto`` is full precision on a CPU, for repeatable results, and the GPU's half precision on CUDA.

    Raises
    ------
    DeviceError
        If the device does not have this arithmetic.
    """
    if precision == "auto":
        if device.type == "cpu":
            return torch.float32
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if precision == "fp16" and device.type == "cpu":
        raise DeviceError("precision fp16 needs a GPU; use fp32, or bf16 where the CPU has it")
    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


def is_emulated(precision: str, device: torch.device) -> bool:
    """Return whether a CPU computes this arithmetic in software, several times slower than full precision."""
    asked = precision == "bf16" and device.type == "cpu"
    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)() if asked else {}
    native = any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16"))
    return capabilities.get("architecture") == "x86_64" and not native


def makes_views(device: torch.device) -> bool:
    """Return whether a device makes random views itself: processes that do so cannot keep up with a GPU."""
    return device.type == "cuda"


def workers(asked: int | None, device: torch.device, processes: int = 1) -> int:
    """Return how many processes prepare samples for each one that trains: as asked for, or by the cores."""
    return min(MOST_WORKERS[device.type], usable_cpus(processes) - 1) if asked is None else asked


@contextmanager
def cpu_threads(asked: int | None) -> Iterator[int]:
    """Let torch use so many CPU threads, by default all that the job may use, and yield their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(cpus.threads(asked))
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
