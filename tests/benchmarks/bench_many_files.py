"""What `beadctl segment` does beside the network for each of many files: find, read, ledger, mask, tables.

    python tests/benchmarks/bench_many_files.py [--files 1000 10000]

The files are blank images of 16 px, on which the network does not run, a thousand in a folder. Each run, in
one process, and the rerun that finds all of them done, tells its processor time without the start of Python,
and its peak memory. Files a second are by the clock too, since an entry of the ledger is flushed to the disk:
other work on the disk changes them.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile
from bench_merge import beadctl, names

EDGE_PX = 16


def write_files(folder: Path, count: int) -> None:
    """Write blank images; each is a file of its own."""
    first = folder / "first.tif"
    tifffile.imwrite(first, np.zeros((EDGE_PX, EDGE_PX), np.uint8))
    content = first.read_bytes()
    first.unlink()
    for name in names(count):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)


def measured(count: int, folder: Path) -> None:
    """Print what a run over so many files takes, and a rerun."""
    images, out = folder / "images", folder / "out"
    images.mkdir()
    write_files(images, count)
    for what in ("run", "rerun"):
        began = time.monotonic()
        seconds, peak = beadctl("segment", images, "-o", out, "--save", "masks", "--threads", "1")
        taken = time.monotonic() - began
        rates = f"{count / seconds:.0f} | {count / taken:.0f}"
        print(f"| {count} | {what} | {seconds:.1f} | {rates} | {peak / 1e6:.0f} |", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, nargs="+", default=[1000, 10000])
    asked = parser.parse_args()
    print("| files | | CPU s | files a CPU second | files a second | peak, MB |\n|---|---|---|---|---|---|")
    for count in asked.files:
        with tempfile.TemporaryDirectory() as folder:
            measured(count, Path(folder))


if __name__ == "__main__":
    main()
