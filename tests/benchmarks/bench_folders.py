"""Time and memory of `segment` as folders grow, against bare `session.run` over the same pixels.

    python tests/benchmarks/bench_folders.py [--images 10 100 1000 10000] [--size 512] [--threads 2]

A folder holds simulated images, eight different ones under as many names as asked. `segment --save masks`
runs in a fresh process, which tells its wall time without the start of Python, and its peak memory;
`session.run` computes one image in this process, before and after it. Goals: a memory slope below 1 kB an
image, and 5 ms an image beyond the network.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_growth import WHOLE

from beadctl.cpus import usable_cpus
from beadctl.images import NetworkInput, open_image
from beadctl.model.session import DEFAULT_MODEL, Model
from beadctl.simulate import write

KINDS = 8
RUNS = 5


def bare(path: Path, model: Model) -> float:
    """Return the seconds of the network alone over one image."""
    with open_image(path).planes[0].open() as pixels:
        shown = NetworkInput.of(pixels, model.facts.normalisation)
        tile = shown.apply(pixels.read_all())[None]
    start = time.perf_counter()
    for _ in range(RUNS):
        model.run(tile)
    return (time.perf_counter() - start) / RUNS


def main() -> None:
    """Print one row a folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, nargs="+", default=[10, 100, 1000, 10_000])
    parser.add_argument(
        "--size", type=int, default=512, help="edge of an image, px, a multiple of the stride"
    )
    parser.add_argument("--threads", type=int, default=usable_cpus())
    args = parser.parse_args()
    model = Model(DEFAULT_MODEL, "cpu", args.threads)
    print("| images | segment, s | ms an image | network, ms an image | peak, MB | bytes an image |")
    print("|---|---|---|---|---|---|")
    first = None
    with tempfile.TemporaryDirectory() as folder:
        scenes = Path(folder) / "scenes"
        write(scenes, KINDS, args.size, 7)
        kinds = sorted((scenes / "images").iterdir())
        for count in args.images:
            images, out = Path(folder) / f"images{count}", Path(folder) / f"out{count}"
            images.mkdir()
            for number in range(count):
                os.link(kinds[number % KINDS], images / f"image{number:05}.tif")
            network = [bare(kinds[0], model)]
            command = [sys.executable, "-c", WHOLE, str(images), str(out), str(args.threads)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            network.append(bare(kinds[0], model))
            seconds, peak = float(done.stdout.split()[-2]), int(done.stdout.split()[-1]) * 1024
            first = first or (count, peak)
            slope = f"{(peak - first[1]) / (count - first[0]):.0f}" if count > first[0] else ""
            each = f"{seconds / count * 1e3:.1f}", f"{sum(network) / len(network) * 1e3:.1f}"
            print(
                f"| {count} | {seconds:.1f} | {each[0]} | {each[1]} | {peak / 1e6:.0f} | {slope} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
