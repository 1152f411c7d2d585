"""Speed of `tile` and `audit` relative to reading and writing the files, and their memory over many pairs.

    python tests/benchmarks/bench_tile.py [--images 24] [--size 1024] [--pairs 5] [--many 10000]

Memory: resident size after a tenth and after all of --many simulated pairs of 96 px. Goals: constant for
`tile`; for `audit`, which keeps a fingerprint of every image, about 5 kB a pair. Speed: `tile` (256 px) and
`audit` (without a model) relative to reading all images and masks and writing them as tiles with the same
compression in one thread; `audit`, which writes nothing, also relative to reading alone. Runs alternate, and
the median of the paired ratios is printed. Goal: 0.7 of reading and writing.
"""

import argparse
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

import tifffile

from beadctl.annotations.pairing import pair
from beadctl.audit.run import audit
from beadctl.dataset import tile_writer
from beadctl.dataset.tiling import TilingOptions
from beadctl.images import open_image
from beadctl.simulate import write


def resident_mib():
    """Return the resident size of this process, MiB."""
    words = Path("/proc/self/status").read_text().split("VmRSS:")[1].split()
    return int(words[0]) / 1024


def seconds(work):
    """Return how long `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def memory(folder, many, recipe):
    """Print the resident size over many pairs."""
    write(folder / "small", many, 96, 8)
    small = pair(folder / "small/images", folder / "small/masks").samples
    for name, work in (
        ("audit", lambda note: audit(small, on_pair=note)),
        ("tile", lambda note: tile_writer.cut(small, folder / "tiles", recipe, on_sample=note)),
    ):
        done = []

        def note(sample, name=name, done=done):
            done.append(sample)
            if len(done) in (many // 10, many):
                print(f"{name}: {resident_mib():.0f} MiB after {len(done)} pairs", flush=True)

        work(note)
        print(f"{name}: {resident_mib():.0f} MiB at the end")


def main():
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--many", type=int, default=10_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recipe = TilingOptions(256, 0, 0.15, 0.15, 0)
        memory(folder, arguments.many, recipe)
        write(folder / "sim", arguments.images, arguments.size, 7)
        pairs = pair(folder / "sim/images", folder / "sim/masks").samples

        def decode():
            for item in pairs:
                with open_image(item.image).planes[0].open() as pixels:
                    pixels.read_all()
                tifffile.imread(item.truth)

        def read_and_write():
            plain = Path(tempfile.mkdtemp(dir=folder))
            for item in pairs:
                for path in (item.image, item.truth):
                    whole = tifffile.imread(path)
                    for top in range(0, arguments.size, 256):
                        for left in range(0, arguments.size, 256):
                            part = whole[top : top + 256, left : left + 256].copy()
                            out = plain / f"{path.parent.name}_{path.stem}_{top}_{left}.tif"
                            tifffile.imwrite(out, part, compression="zlib", metadata=None)

        def tile():
            tile_writer.cut(pairs, Path(tempfile.mkdtemp(dir=folder)), recipe)

        for words, work, base in (
            ("tile", tile, read_and_write),
            ("audit", partial(audit, pairs), read_and_write),
            ("audit", partial(audit, pairs), decode),
        ):
            work(), base()
            ratios = [seconds(base) / seconds(work) for _ in range(arguments.pairs)]
            print(f"{words}: {statistics.median(ratios):.2f} of the speed of {base.__name__}")


if __name__ == "__main__":
    main()
