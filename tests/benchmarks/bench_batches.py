"""The network over small images: one after another, in batches, and two at a time as `segment` runs them.

    python tests/benchmarks/bench_batches.py [--sizes 256 512] [--rounds 5] [--threads 2]

Eight simulated images of each size, in the order one by one, batches of 2, 4 and 8, and one by one from
`threads` threads, alternately. Prints the wall and the processor time an image, and the ratios to one by one,
each the median over the rounds; other work on the machine lengthens the wall times. The answers are compared
to the last bit.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from beadctl.cpus import usable_cpus
from beadctl.images import NetworkInput, open_image
from beadctl.model.session import DEFAULT_MODEL, Model
from beadctl.simulate import write

IMAGES = 8
BATCHES = (2, 4, 8)


def inputs(size: int, model: Model) -> list[np.ndarray]:
    """Return simulated images as the network takes them, each (1, C, H, W)."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), IMAGES, size, 7)
        found = []
        for path in sorted((Path(folder) / "images").iterdir()):
            with open_image(path).planes[0].open() as pixels:
                shown = NetworkInput.of(pixels, model.facts.normalisation)
                found.append(shown.apply(pixels.read_all())[None])
    return found


def in_batches(tiles: list[np.ndarray], model: Model, number: int) -> np.ndarray:
    """Return the maps of all tiles, some at a time."""
    batches = [np.concatenate(tiles[start : start + number]) for start in range(0, len(tiles), number)]
    return np.concatenate([np.concatenate(model.run(batch), axis=1) for batch in batches])


def in_lanes(tiles: list[np.ndarray], model: Model, number: int) -> np.ndarray:
    """Return the maps of all tiles, from several threads."""
    with ThreadPoolExecutor(number) as lanes:
        return np.concatenate([np.concatenate(maps, axis=1) for maps in lanes.map(model.run, tiles)])


def timed(run: Callable[[], np.ndarray]) -> tuple[float, float, np.ndarray]:
    """Return wall and processor time an image, ms, and the maps."""
    wall, processor = time.perf_counter(), time.process_time()
    maps = run()
    taken = time.perf_counter() - wall, time.process_time() - processor
    return taken[0] / IMAGES * 1e3, taken[1] / IMAGES * 1e3, maps


def main() -> None:
    """Print one row a way."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=usable_cpus())
    args = parser.parse_args()
    model = Model(DEFAULT_MODEL, "cpu", args.threads)
    print("| size, px | way | wall, ms | processor, ms | wall ratio | processor ratio |")
    print("|---|---|---|---|---|---|")
    for size in args.sizes:
        tiles = inputs(size, model)
        ways = {"one by one": partial(in_batches, tiles, model, 1)}
        ways |= {f"batches of {number}": partial(in_batches, tiles, model, number) for number in BATCHES}
        ways[f"{args.threads} at a time"] = partial(in_lanes, tiles, model, args.threads)
        rounds = [{way: timed(run) for way, run in ways.items()} for _ in range(args.rounds)]
        for way in ways:
            wanted = [one["one by one"] for one in rounds]
            taken = [one[way] for one in rounds]
            assert all((one[2] == other[2]).all() for one, other in zip(taken, wanted, strict=True))
            each = [statistics.median(one[k] for one in taken) for k in (0, 1)]
            ratio = [
                statistics.median(one[k] / other[k] for one, other in zip(taken, wanted, strict=True))
                for k in (0, 1)
            ]
            print(f"| {size} | {way} | {each[0]:.1f} | {each[1]:.1f} | {ratio[0]:.2f} | {ratio[1]:.2f} |")


if __name__ == "__main__":
    main()
