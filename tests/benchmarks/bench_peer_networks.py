"""Time a megapixel of StarDist's and Cellpose-SAM's networks, with random weights, against the default model.

    python tests/benchmarks/bench_peer_networks.py [--stardist PYTHON] [--cellpose PYTHON] [--threads 1]

PYTHON is the interpreter of an environment with that package, since their dependencies exclude each other:

    pip install stardist tensorflow-cpu tf_keras
    pip install "cellpose>=4.2"

Time does not depend on the weights; no published ones are loaded. StarDist has 32 rays on a grid of 2 px, as
its published 2D models, and is called on one tile. Cellpose-SAM runs its windows of 256 px, in batches of 8
as its default, without the overlap that it adds. beadctl runs one tile in onnxruntime. Each runs in a process
of its own; they alternate, and the ratios are of pairs. A network whose PYTHON is not given is left out.
"""

import argparse
import os
import statistics
import subprocess
import sys

from beadctl.cpus import usable_cpus

# Each prints the seconds of one run after a first one: argv is the edge, px, and the threads.
CODES = {
    "beadctl": """
import sys, time
import numpy as np
from beadctl.model.session import DEFAULT_MODEL, Model
size, threads = map(int, sys.argv[1:])
model = Model(DEFAULT_MODEL, "cpu", threads)
shape = 1, model.facts.normalisation.channels, size, size
tile = np.random.default_rng(0).standard_normal(shape, np.float32)
for _ in range(2):
    start = time.perf_counter()
    model.run(tile)
    taken = time.perf_counter() - start
print(taken)
""",
    "stardist": """
import sys, tempfile, time
import numpy as np
import tensorflow as tf
from stardist.models import Config2D, StarDist2D
size, threads = map(int, sys.argv[1:])
tf.config.threading.set_intra_op_parallelism_threads(threads)
tf.config.threading.set_inter_op_parallelism_threads(1)
with tempfile.TemporaryDirectory() as folder:
    model = StarDist2D(Config2D(n_rays=32, grid=(2, 2), n_channel_in=1), name="random", basedir=folder)
tile = np.random.default_rng(0).standard_normal((1, size, size, 1), np.float32)
for _ in range(2):
    start = time.perf_counter()
    model.keras_model.predict_on_batch(tile)
    taken = time.perf_counter() - start
print(taken)
""",
    "cellpose": """
import sys, time
import numpy as np
import torch
from cellpose.vit import CPSAM
size, threads = map(int, sys.argv[1:])
torch.set_num_threads(threads)
network = CPSAM().eval()
shape = (size // 256) ** 2, 3, 256, 256
windows = torch.from_numpy(np.random.default_rng(0).standard_normal(shape, np.float32))
with torch.inference_mode():
    network(windows[:1])
    start = time.perf_counter()
    for batch in windows.split(8):
        network(batch)
    taken = time.perf_counter() - start
print(taken)
""",
}


def seconds(python: str, code: str, size: int, threads: int) -> float:
    """Return the time of one run in a fresh process."""
    names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
    environment = {
        **os.environ,
        **dict.fromkeys(names, str(threads)),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "",
    }
    command = [python, "-c", code, str(size), str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{python}: {done.stderr.strip().splitlines()[-1]}")
    return float(done.stdout.split()[-1])


def main() -> None:
    """Print one row a network."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stardist", metavar="PYTHON")
    parser.add_argument("--cellpose", metavar="PYTHON")
    parser.add_argument("--size", type=int, default=1024, help="edge of the tile, px, a multiple of 256")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=usable_cpus())
    args = parser.parse_args()
    pythons = {"beadctl": sys.executable, "stardist": args.stardist, "cellpose": args.cellpose}
    times: dict[str, list[float]] = {name: [] for name, python in pythons.items() if python}
    for _ in range(args.pairs):
        for name, taken in times.items():
            taken.append(seconds(pythons[name], CODES[name], args.size, args.threads))
    print("| network | s/Mpx | to beadctl |\n|---|---|---|")
    for name, taken in times.items():
        ratio = statistics.median(one / our for one, our in zip(taken, times["beadctl"], strict=True))
        print(f"| {name} | {min(taken) / (args.size**2 / 1e6):.3f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
