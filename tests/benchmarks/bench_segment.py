"""`segment` end to end against bare `session.run` on the same blocks, and its peak memory.

    python tests/benchmarks/bench_segment.py [IMAGES] [--images 24] [--size 512] [--pairs 5]

IMAGES defaults to simulated ones. Both run alternately in one process, with the same threads and the same
blocks (halo included); `segment` also reads the files, measures percentiles and local contrast, labels,
measures and writes masks, tables and overlays. The median of the paired ratios of images a second is
printed. Goal: 0.85. Memory: the peak of a fresh process over one plane of 1, 4 and 9 times the area; goal:
bounded by the block plus a few bytes a pixel of the plane.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import tifffile

from beadctl.images import Found, NetworkInput, Pixels, Window, find, open_image
from beadctl.model.blocks import blocks, read_reflected
from beadctl.model.session import DEFAULT_MODEL, Model
from beadctl.results import run
from beadctl.results.formats import Output
from beadctl.results.ledger import ImageResult
from beadctl.results.outputs import Outputs
from beadctl.results.sources import ByNetwork
from beadctl.segmentation.options import SegmentOptions
from beadctl.simulate import write

PEAK = """
import resource, sys
from beadctl.cli.main import run
code = run(["segment", sys.argv[1], "-o", sys.argv[2], "-q"])
assert code == 0
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def channels_of(pixels: Pixels, shown: NetworkInput, part: Window) -> np.ndarray:
    """Return the channels of a window of a plane."""
    return shown.apply(pixels.read(part), part.top, part.left)


def blocks_of(found: list[Found], model: Model) -> list[np.ndarray]:
    """Return the blocks of all planes as the network takes them, each (1, C, H, W)."""
    ready = []
    for item in found:
        for plane in open_image(item.path).planes:
            with plane.open() as pixels:
                shown = NetworkInput.of(pixels, model.facts.normalisation)
                channels = partial(channels_of, pixels, shown)
                grid = blocks(
                    plane.height,
                    plane.width,
                    tile_size=1024,
                    halo=model.facts.halo,
                    stride=model.facts.stride,
                )
                ready += [read_reflected(block, plane.height, plane.width, channels)[None] for block in grid]
    return ready


def bare(ready: list[np.ndarray], model: Model) -> float:
    """Seconds of the network alone."""
    start = time.perf_counter()
    for block in ready:
        model.run(block)
    return time.perf_counter() - start


def whole(found: list[Found], model: Model, save: tuple[Output, ...]) -> float:
    """Seconds of the pipeline, files included."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = Outputs(Path(folder), save)
        start = time.perf_counter()
        results: list[ImageResult] = []
        source = ByNetwork(model, SegmentOptions.of(model.facts))
        run.run(found, source, outputs, results.append)
        assert not any(result.failed for result in results)
        return time.perf_counter() - start


def peak_mib(size: int, kind: dict[str, object]) -> float:
    """Peak memory of a fresh process that segments one plane of `size` squared, MiB."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "image.tif"
        rng = np.random.default_rng(0)
        tile = rng.normal(1000, 20, (1024, 1024))
        for y, x in rng.integers(20, 1000, (300, 2)):
            tile[y - 6 : y + 6, x - 6 : x + 6] += 800
        repeats = -(-size // 1024)
        tifffile.imwrite(image, np.tile(tile.astype(np.uint16), (repeats, repeats))[:size, :size], **kind)
        command = [sys.executable, "-c", PEAK, str(image), str(Path(folder) / "out")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return int(done.stdout.split()[-1]) / 1024


def main() -> None:
    """Print throughput and memory."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--no-memory", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = args.folder or Path(folder)
        if args.folder is None:
            write(source, args.images, args.size, seed=5)
            source /= "images"
        found = find([source])[: args.images]
        model = Model(DEFAULT_MODEL, "cpu")
        ready = blocks_of(found, model)
        bare(ready[:2], model)
        for save in ((Output.MASKS,), (Output.MASKS, Output.OVERLAYS)):
            ratios = [bare(ready, model) / whole(found, model, save) for _ in range(args.pairs)]
            shown = ", ".join(f"{ratio:.3f}" for ratio in sorted(ratios))
            name = "segment --save " + ",".join(save)
            print(f"{name} / bare session.run: median {statistics.median(ratios):.3f} ({shown})")
    if not args.no_memory:
        for name, kind in {"tiled": {"tile": (256, 256), "compression": "zlib"}, "one strip": {}}.items():
            peaks = {size: peak_mib(size, kind) for size in (2048, 4096, 6144)}
            slope = (peaks[6144] - peaks[2048]) * 2**20 / (6144**2 - 2048**2)
            shown = ", ".join(f"{size} px: {peak:.0f} MiB" for size, peak in peaks.items())
            print(f"peak memory, {name}: {shown}; {slope:.1f} bytes a pixel")


if __name__ == "__main__":
    main()
