"""What a run will take, told before it: tiles, memory, disk and time."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from beadctl.console import duration
from beadctl.errors import ImageError
from beadctl.images import Found, LocalFile, Plane, ReadOptions, open_image
from beadctl.memory import COSTS, MemoryPlan, shown
from beadctl.model.blocks import Block, blocks
from beadctl.model.session import Model

COLUMNS = ("what", "amount")
# Bytes a pixel of the arrays of a plane's size beside its pixels: two maps, a label image and a copy of it,
# and where beads are.
ARRAYS_BYTES = (1, 1, 4, 4, 1)
# Time of a run over that of its network: see `tests/benchmarks/bench_growth.py`.
OVER_NETWORK = 1.2


@dataclass(frozen=True)
class Forecast:
    """What a run will take.

    Attributes
    ----------
    images, earlier, unreadable, planes, tiles : int
        Images, those that an earlier run has done, those that cannot be opened, planes of the others, and
        runs of the network over these as they are; the scale rule may add some.
    pixels, network_pixels : int
        Of the planes, and of the tiles with their halos.
    processes : int
        Processes that share the images.
    memory_bytes, disk_bytes : int
        Memory, and temporary files, where each of them has the largest plane.
    seconds : float
        Time, from that of one tile on the device.
    """

    images: int
    earlier: int
    unreadable: int
    planes: int
    tiles: int
    pixels: int
    network_pixels: int
    processes: int
    memory_bytes: int
    disk_bytes: int
    seconds: float

    @property
    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield the cells under `COLUMNS`."""
        yield "images", f"{self.images}"
        yield "done by an earlier run", f"{self.earlier}"
        yield "unreadable images", f"{self.unreadable}"
        yield "planes", f"{self.planes}"
        yield "megapixels", f"{self.pixels / 1e6:.4g}"
        yield "tiles", f"{self.tiles}"
        yield "network pixels a pixel", f"{self.network_pixels / max(1, self.pixels):.2f}"
        yield "processes", f"{self.processes}"
        yield "memory", shown(self.memory_bytes)
        yield "temporary files", shown(self.disk_bytes)
        yield "time", duration(self.seconds)


def forecast(
    found: Sequence[Found],
    read: ReadOptions,
    model: Model,
    plan: MemoryPlan,
    processes: int = 1,
    earlier: int = 0,
) -> Forecast:
    """Foretell a run; images are opened, and no pixel is read. Objects in stores are copied one at a time.

    Parameters
    ----------
    found, read : sequence of Found and ReadOptions
        The images that are left to do, and how they are read.
    model, plan : Model and MemoryPlan
        The opened model, and the tiles and memory of a process.
    processes : int
        Processes that share the images.
    earlier : int
        Images that an earlier run has done.
    """
    planes, unreadable = list[Plane](), 0
    for item in found:
        try:
            file = LocalFile(item, read.limits)
            planes += open_image(file.path, read, is_copy=item.url is not None).planes
        except (ImageError, OSError):
            unreadable += 1
    tiles = [tile for plane in planes for tile in _tiles(plane, model, plan)]
    network_pixels = sum(tile.height * tile.width for tile in tiles)
    largest = max(tiles, key=lambda tile: tile.height * tile.width, default=None)
    needs = [_arrays(plane, plan) for plane in planes]
    tile_bytes = largest.height * largest.width * model.bytes_a_pixel if largest else 0
    fixed_bytes = COSTS.process + COSTS.cell + tile_bytes
    return Forecast(
        images=len(found) + earlier,
        earlier=earlier,
        unreadable=unreadable,
        planes=len(planes),
        tiles=len(tiles),
        pixels=sum(plane.height * plane.width for plane in planes),
        network_pixels=network_pixels,
        processes=processes,
        memory_bytes=processes * (fixed_bytes + max((kept for kept, _ in needs), default=0)),
        disk_bytes=processes * max((files for _, files in needs), default=0),
        seconds=OVER_NETWORK * network_pixels * _seconds_a_pixel(model, largest) if largest else 0.0,
    )


def _tiles(plane: Plane, model: Model, plan: MemoryPlan) -> Iterator[Block]:
    facts = model.facts
    return blocks(plane.height, plane.width, tile_size=plan.tile_size, halo=facts.halo, stride=facts.stride)


def _arrays(plane: Plane, plan: MemoryPlan) -> tuple[int, int]:
    """Return the bytes of a plane's arrays in memory, and in temporary files."""
    pixels = plane.height * plane.width
    sizes = [pixels * size for size in (plane.dtype.itemsize, *ARRAYS_BYTES)]
    kept = sum(size for size in sizes if size <= plan.array_bytes)
    return kept, sum(sizes) - kept


def _seconds_a_pixel(model: Model, tile: Block) -> float:
    """Return the time of the network for a pixel of a tile."""
    zeros = np.zeros((1, model.facts.normalisation.channels, tile.height, tile.width), np.float32)
    least = math.inf
    # The first run also allocates its memory.
    for _ in range(2):
        began = time.perf_counter()
        model.run(zeros)
        least = min(least, time.perf_counter() - began)
    return least / (tile.height * tile.width)
