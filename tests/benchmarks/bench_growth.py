"""Time and memory of `segment` as images grow, against bare `session.run` over the image's own pixels.

    python tests/benchmarks/bench_growth.py [--sizes 1024 2048 4096 8192] [--pairs 3] [--threads 2]
        [--max-memory 2G]

The images hold about 1,200 bright discs a megapixel, 20,000 at 4096 px. `segment --save masks` runs in a
fresh process, which tells its wall time without the start of Python, and its peak memory. `session.run`
computes squares of 1024 px, without halo, in this process; its time is linear in them, so of a large image
only four are run. Both run alternately. Goals: 0.9 at 4096 px, and the same time a pixel within 10 % at all
sizes.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile

from beadctl.cpus import usable_cpus
from beadctl.images import InMemory, NetworkInput
from beadctl.model.session import DEFAULT_MODEL, Model

TILE_PX = 1024
MOST_TILES = 4
# Distance of neighbouring beads, px: 1,225 in a tile.
PITCH_PX = 29

WHOLE = """
import resource, sys, time
from pathlib import Path
from beadctl.cli.main import run
start = time.perf_counter()
image, folder, threads, *memory = sys.argv[1:]
words = ["--max-memory", *memory] if memory else []
code = run(["segment", image, "-o", folder, "--save", "masks", "--threads", threads, "-q", *words])
taken = time.perf_counter() - start
assert code == 0
status = Path("/proc/self/status")
# What the system says of a process holds what its parent had, except here.
peak = next((line.split()[1] for line in status.read_text().splitlines() if "VmHWM" in line), None) \
    if status.exists() else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(taken, peak)
"""


def plane(size: int) -> np.ndarray:
    """Return discs of 8 to 14 px, a little off the nodes of a grid, uint16, the same in every tile."""
    rng = np.random.default_rng(0)
    edge = min(size, TILE_PX)
    tile = rng.normal(1000, 20, (edge, edge))
    nodes = np.arange(PITCH_PX // 2, edge - PITCH_PX // 2, PITCH_PX)
    reach = np.arange(-8, 9)
    for y in nodes:
        for x in nodes:
            dy, dx, radius = rng.uniform(-4, 4), rng.uniform(-4, 4), rng.uniform(4, 7)
            distance = np.hypot(reach[:, None] - dy, reach[None, :] - dx)
            rows, columns = np.clip(y + reach, 0, edge - 1), np.clip(x + reach, 0, edge - 1)
            tile[np.ix_(rows, columns)] += 800 / (1 + np.exp(2 * (distance - radius)))
    repeats = -(-size // edge)
    return np.tile(tile.astype(np.uint16), (repeats, repeats))[:size, :size]


def bare(image: np.ndarray, model: Model) -> float:
    """Return the seconds of the network alone over an image's own pixels."""
    edge = min(len(image), TILE_PX)
    tiles = (len(image) / edge) ** 2
    run = min(MOST_TILES, int(tiles))
    part = image[:edge, :edge]
    tile = NetworkInput.of(InMemory(part), model.facts.normalisation).apply(part)[None]
    start = time.perf_counter()
    for _ in range(run):
        model.run(tile)
    return (time.perf_counter() - start) * tiles / run


def whole(image: Path, threads: int, memory: str | None) -> tuple[float, float, int]:
    """Return the seconds, the peak memory, MB, and the beads of `segment`."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-c",
            WHOLE,
            str(image),
            folder,
            str(threads),
            *([memory] if memory else []),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        seconds, kib = done.stdout.split()[-2:]
        beads = (Path(folder) / "beads.csv").read_text().count("\n") - 1
    return float(seconds), int(kib) * 1024 / 1e6, beads


def main() -> None:
    """Print one row a size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[1024, 2048, 4096, 8192], help="edges, px")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=usable_cpus())
    parser.add_argument("--max-memory", help="as of `segment`")
    args = parser.parse_args()
    model = Model(DEFAULT_MODEL, "cpu", args.threads)
    print(
        "| image, px | beads | segment, s | s/Mpx | bare, s/Mpx | bare / segment | peak, MB | bytes a pixel |"
    )
    print("|---|---|---|---|---|---|---|---|")
    first = None
    with tempfile.TemporaryDirectory() as folder:
        for size in args.sizes:
            image, path = plane(size), Path(folder) / "plane.tif"
            tifffile.imwrite(path, image, tile=(256, 256))
            bare(image[:256, :256], model)
            pairs = [
                (bare(image, model), whole(path, args.threads, args.max_memory)) for _ in range(args.pairs)
            ]
            ratio = statistics.median(network / done[0] for network, done in pairs)
            seconds, memory = (statistics.median(done[k] for _, done in pairs) for k in (0, 1))
            network = statistics.median(network for network, _ in pairs)
            mpx = size * size / 1e6
            first = first or (memory, mpx)
            slope = f"{(memory - first[0]) / (mpx - first[1]):.1f}" if mpx > first[1] else ""
            cells = (size, pairs[0][1][2], f"{seconds:.2f}", f"{seconds / mpx:.3f}", f"{network / mpx:.3f}")
            print(
                "|", *(f"{cell} |" for cell in (*cells, f"{ratio:.3f}", f"{memory:.0f}", slope)), flush=True
            )


if __name__ == "__main__":
    main()
