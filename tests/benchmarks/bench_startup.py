"""Cold start: CPU time of whole processes, in pairs.

    python tests/benchmarks/bench_startup.py [--pairs 15]

`beadctl --help` against bare `python -c "import typer"`; goal: at most 1.5. `beadctl count` of one image of
256 px against a process that imports numpy, tifffile and onnxruntime and runs the same network over it.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import tifffile

from beadctl.model.session import DEFAULT_MODEL
from beadctl.simulate import write

BARE = """
import sys
import numpy as np, onnxruntime, tifffile
plane = tifffile.imread(sys.argv[2]).astype(np.float32)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
channels = session.get_inputs()[0].shape[1]
session.run(None, {"image": np.repeat(plane[None, None] / plane.max(), channels, axis=1)})
"""


def cpu_s(arguments: list[str]) -> float:
    """CPU seconds of a new process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the median ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=15)
    pairs = parser.parse_args().pairs
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), 1, 256, 3)
        (image,) = (Path(folder) / "images").iterdir()
        assert tifffile.imread(image).shape == (256, 256)
        compared = {
            "beadctl --help / import typer": (["-m", "beadctl", "--help"], ["-c", "import typer"]),
            "beadctl count / bare session.run": (
                ["-m", "beadctl", "count", str(image), "--threads", "1", "-q"],
                ["-c", BARE, str(DEFAULT_MODEL), str(image)],
            ),
        }
        print("| processes | CPU, s | bare CPU, s | ratio |\n|---|---|---|---|")
        for name, (ours, theirs) in compared.items():
            cpu_s(ours), cpu_s(theirs)
            taken = [(cpu_s(ours), cpu_s(theirs)) for _ in range(pairs)]
            ratio = statistics.median(one / other for one, other in taken)
            one, other = (statistics.median(part) for part in zip(*taken, strict=True))
            print(f"| {name} | {one:.2f} | {other:.2f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
