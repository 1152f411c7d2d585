"""The network on each device of this machine: its time, and how far its answer lies from that of the CPU."""

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from beadctl.errors import BeadctlError
from beadctl.images import InMemory, NetworkInput
from beadctl.model.runtime import listed_devices
from beadctl.model.session import DEFAULT_MODEL, Model
from beadctl.simulate import render

TILE_PX = 1024
# After a first one, which allocates and compiles.
RUNS = 3


@dataclass(frozen=True)
class DeviceTrial:
    """How a device runs the network.

    Attributes
    ----------
    device : str
        Its name for ``--device``.
    ms_per_mpx : float or None
        Time of a tile over its size, the median of some runs, ms/Mpx; None where it failed.
    largest_difference : float or None
        Of any probability or marker to those of the CPU.
    failure : str
        Why it failed; empty where it did not.
    """

    device: str
    ms_per_mpx: float | None = None
    largest_difference: float | None = None
    failure: str = ""


COLUMNS = tuple(one.name for one in fields(DeviceTrial))


def try_devices(path: Path | None = None, tile_px: int = TILE_PX) -> Iterator[DeviceTrial]:
    """Run one tile, a simulated scene, on each device that what is installed claims to have.

    Parameters
    ----------
    path : Path, optional
        The ``.onnx`` file; by default the default model.
    tile_px : int
        Edge of the tile, px, a multiple of the stride.

    Yields
    ------
    DeviceTrial
        That of the CPU first.

    Raises
    ------
    ModelError
        If the file cannot be used on the CPU.
    """
    path = path or DEFAULT_MODEL
    cpu = Model(path, "cpu")
    scene = InMemory(render(np.random.default_rng(0), tile_px).image)
    tile = NetworkInput.of(scene, cpu.facts.normalisation).apply(scene.pixels, 0, 0)[None]
    wanted: list[NDArray[np.float32]] = []
    for device in listed_devices():
        try:
            answer, seconds = _timed(cpu if device == "cpu" else Model(path, device), tile)
        except BeadctlError as error:
            yield DeviceTrial(device, failure=str(error))
            continue
        wanted = wanted or answer
        difference = max(float(np.abs(one - cpu_s).max()) for one, cpu_s in zip(answer, wanted, strict=True))
        yield DeviceTrial(device, seconds * 1e3 / (tile_px**2 / 1e6), difference)


def _timed(model: Model, tile: NDArray[np.float32]) -> tuple[list[NDArray[np.float32]], float]:
    """Return the network's answer for a tile, and the median time of its further runs, s."""
    answer, times = model.run(tile), []
    for _ in range(RUNS):
        start = time.perf_counter()
        model.run(tile)
        times.append(time.perf_counter() - start)
    return answer, statistics.median(times)
