"""Time and memory of `segment` as folders grow, against bare `session.run` over the same pixels.

    python tests/benchmarks/bench_folders.py [--images 10 100 1000 10000] [--size 512] [--model FILE]

A folder holds simulated images, eight different ones under as many names as asked. `segment --save masks`
runs as it does from a shell; its memory, and that of the processes which it starts for 64 images or more, is
read twenty times a second. `session.run` computes one image in this process, before and after it. Goals: a
memory slope below 1 kB an image, and 5 ms an image beyond the network. The slope is that of the command's own
process, whose memory depends on neither network nor pixels where others share the images: a small `--model`
and `--size 128` show it from 100 images on in a fraction of the time.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from beadctl.cpus import usable_cpus
from beadctl.images import NetworkInput, open_image
from beadctl.model.session import DEFAULT_MODEL, Model
from beadctl.simulate import write

KINDS = 8
RUNS = 5
EVERY_S = 0.05


def bare(path: Path, model: Model) -> float:
    """Return the seconds of the network alone over one image."""
    with open_image(path).planes[0].open() as pixels:
        shown = NetworkInput.of(pixels, model.facts.normalisation)
        tile = shown.apply(pixels.read_all())[None]
    start = time.perf_counter()
    for _ in range(RUNS):
        model.run(tile)
    return (time.perf_counter() - start) / RUNS


def watched(command: list[str]) -> tuple[float, int, int]:
    """Run a command; return its seconds, and the most memory of it and of all its processes, bytes."""
    own, whole, start = 0, 0, time.perf_counter()
    running = psutil.Popen(command, stderr=subprocess.DEVNULL)
    while running.poll() is None:
        held = []
        for process in [running, *running.children(recursive=True)]:
            try:
                held.append(process.memory_info().rss)
            except psutil.Error:
                # It has ended.
                continue
        own, whole = max(own, *held[:1], 0), max(whole, sum(held))
        time.sleep(EVERY_S)
    taken = time.perf_counter() - start
    if running.returncode:
        raise subprocess.CalledProcessError(running.returncode, command)
    return taken, own, whole


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
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    args = parser.parse_args()
    model = Model(args.model, "cpu", args.threads)
    heads = "images", "segment, s", "ms an image", "network, ms an image", "peak, MB", "of all, MB", "slope"
    print(f"| {' | '.join(heads)} |")
    print("|---|---|---|---|---|---|---|")
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
            words = ["--save", "masks", "--threads", str(args.threads), "-q", "--model", str(args.model)]
            taken, own, whole = watched(
                [sys.executable, "-m", "beadctl", "segment", str(images), "-o", str(out), *words]
            )
            network.append(bare(kinds[0], model))
            first = first or (count, own)
            slope = f"{(own - first[1]) / (count - first[0]):.0f} bytes an image" if count > first[0] else ""
            each = f"{taken / count * 1e3:.1f}", f"{sum(network) / len(network) * 1e3:.1f}"
            print(
                f"| {count} | {taken:.1f} | {each[0]} | {each[1]} | {own / 1e6:.0f} | {whole / 1e6:.0f} | "
                f"{slope} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
