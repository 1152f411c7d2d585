"""Time and memory of `beadctl merge` as runs grow, and what follows for runs of a million images.

    python tests/benchmarks/bench_merge.py [--images 1000 1000000] [--stacks 100000] [--nodes 1 10 100 1000]

No network runs over the merged images. One simulated image is counted as a shard of one; what the ledger has
of it is written again under as many names as asked, a thousand in a folder, with its first beads, as a
hundred shards would leave it. `beadctl merge` runs in a fresh process, which tells its processor time without
the start of Python, and its peak memory. Images of one plane come first, then stacks of ten planes, then a
thousand images with the beads of these stacks.

Then the constants are measured: processor time of `segment` over a plane, and entries of the ledger that are
written as a run writes them, each flushed to the disk. From these and the merges the last tables say what
runs on many nodes take. They are arithmetic, for files that are in memory, which a slow file server is not.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import tifffile
from bench_growth import plane

from beadctl.results import ledger, shards
from beadctl.results.ledger import Entry
from beadctl.shard import Shard
from beadctl.simulate import write

SHARDS = 100
# Images in a folder.
FOLDER_IMAGES = 1000
# Planes of a stack.
PLANES = 10
# Edge of the plane that is segmented, px, and number of entries that are written as a run writes them.
PLANE_PX, ENTRIES = 2048, 2000
# Files that `segment --save masks` makes of an image, each under a name that is then changed.
FILES = 2
TEMPLATE = "image.tif"

RUN = """
import resource, sys, time
from pathlib import Path
from beadctl.cli.main import run
start = time.process_time()
code = run([*sys.argv[1:], "-q"])
taken = time.process_time() - start
assert code == 0
status = Path("/proc/self/status")
# What the system says of a process holds what its parent had, except here.
peak = next((line.split()[1] for line in status.read_text().splitlines() if "VmHWM" in line), None) \
    if status.exists() else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(taken, peak)
"""


@dataclass(frozen=True)
class Merged:
    """A merge: images, planes, beads, seconds, peak memory, bytes; bytes of beads.csv and of the ledger."""

    images: int
    rows: int
    beads: int
    seconds: float
    peak: int
    table: int
    ledger: int


@dataclass(frozen=True)
class Constants:
    """Seconds a megapixel, bytes a megapixel of a mask, entries of the ledger a second."""

    megapixel: float
    mask: float
    entries: float


class Template:
    """The ledger and the record of a shard that counted one simulated image."""

    def __init__(self, folder: Path) -> None:
        write(folder / "scene", 1, 512, 7)
        (image,) = (folder / "scene/images").iterdir()
        image = image.rename(folder / TEMPLATE)
        beadctl("count", image, "-o", folder / "out", "--shard", "1/1")
        self.record = json.loads((shards.folder_of(folder / "out", Shard(1, 1)) / "run.json").read_text())
        name = PurePosixPath(TEMPLATE)
        entry = ledger.read(folder / "out", name)
        assert entry
        self.entry: Entry = entry
        self.head = json.loads(ledger.path_of(folder / "out", name).read_text().partition("\n")[0])
        self.lines = list(ledger.bead_lines(folder / "out", name))

    def content(self, planes: int, beads: int) -> str:
        """Return an entry of the ledger with so many planes, and so many beads in all."""
        rows = [self.head["rows"][0] | {"plane": plane} for plane in range(planes)]
        lines = (self.lines[place % len(self.lines)] for place in range(beads))
        return json.dumps(self.head | {"rows": rows}) + "\n" + "".join(lines)


def beadctl(*words: object) -> tuple[float, int]:
    """Run a command in a fresh process; return its CPU seconds, and its peak memory in bytes."""
    command = [sys.executable, "-c", RUN, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, kib = done.stdout.split()[-2:]
    return float(seconds), int(kib) * 1024


def names(count: int) -> Iterator[str]:
    """Yield names of images in folders."""
    for number in range(count):
        yield f"plate{number // FOLDER_IMAGES:05}/field{number % FOLDER_IMAGES:04}.tif"


def simulate(out: Path, template: Template, images: int, planes: int, beads: int) -> int:
    """Write what shards of so many images leave, with so many planes and beads each; return its bytes."""
    content, size = template.content(planes, beads), 0
    for name in names(images):
        path = ledger.path_of(out, PurePosixPath(name))
        if name.endswith("0000.tif"):
            path.parent.mkdir(parents=True)
        size += path.write_bytes(content.replace(TEMPLATE, name).encode())
    for number in range(1, SHARDS + 1):
        folder = shards.folder_of(out, Shard(number, SHARDS))
        folder.mkdir(parents=True)
        facts = template.record["shard"] | {"number": number, "count": SHARDS, "images": images}
        (folder / "run.json").write_text(json.dumps(template.record | {"images": images, "shard": facts}))
        with (folder / shards.IMAGES).open("w") as file:
            for place, name in enumerate(names(images)):
                if place % SHARDS == number - 1:
                    line = {"place": place, "name": name, "path": f"/data/{name}", "failed": []}
                    file.write(json.dumps(line) + "\n")
    return size


def merged(template: Template, images: int, planes: int, beads: int) -> Merged:
    """Merge a simulated run."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        size = simulate(out, template, images, planes, beads)
        seconds, peak = beadctl("merge", out)
        table = (out / "beads.csv").stat().st_size
    return Merged(images, images * planes, images * beads, seconds, peak, table, size)


def measured(template: Template) -> Constants:
    """Measure what a run does beside the merge."""
    with tempfile.TemporaryDirectory() as folder:
        path, megapixels = Path(folder) / "plane.tif", PLANE_PX**2 / 1e6
        tifffile.imwrite(path, plane(PLANE_PX), tile=(256, 256))
        words = ("-o", f"{folder}/out", "--save", "masks", "--threads", 1)
        seconds, _ = beadctl("segment", path, *words)
        mask = (Path(folder) / "out/masks/plane_masks.tif").stat().st_size
        start = time.perf_counter()
        for name in names(ENTRIES):
            ledger.save(Path(folder) / "ledger", PurePosixPath(name), template.entry, template.lines[:10])
        return Constants(seconds / megapixels, mask / megapixels, ENTRIES / (time.perf_counter() - start))


@dataclass(frozen=True)
class Work:
    """What is to be done: megapixels, images that hold them, and beads."""

    megapixels: float
    images: float
    beads: float


def print_plan(title: str, work: Work, of: Constants, by: list[Merged], nodes: list[int], cores: int) -> None:
    """Print what a run takes on several numbers of nodes of so many cores."""
    first, *_, largest, _, dense = by
    bead = (dense.seconds - first.seconds) / (dense.beads - first.beads)
    more = largest.seconds - first.seconds - bead * (largest.beads - first.beads)
    image = more / (largest.images - first.images)
    merge = image * work.images + bead * work.beads
    network = of.megapixel * work.megapixels / cores
    table = dense.table / dense.beads * work.beads
    print(f"\n{title}: {work.images:.3g} images, {work.megapixels:.3g} Mpx, {work.beads:.3g} beads;")
    print(f"masks {of.mask * work.megapixels / 1e9:.3g} GB, beads.csv {table / 1e9:.3g} GB\n")
    print("| nodes | segment, h | files a second | merge, h | share of the merge |")
    print("|---|---|---|---|---|")
    for number in nodes:
        seconds = network / number
        rate, share = FILES * work.images / seconds, merge / (merge + seconds)
        print(f"| {number} | {seconds / 3600:.3g} | {rate:.3g} | {merge / 3600:.3g} | {share:.0%} |")
    # Beyond these numbers of nodes, another part takes longer than the network.
    print(f"\nnodes by which the merge takes half of the time: {network / merge:.3g}")
    print(f"nodes that write entries as fast as this disk: {network / work.images * of.entries:.3g}")


def main() -> None:
    """Print the merges, the constants and the plans."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, nargs="+", default=[1000, 30_000])
    parser.add_argument("--stacks", type=int, default=100_000, help="stacks of ten planes")
    parser.add_argument("--beads", type=int, default=10, help="beads of a plane")
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 10, 100, 1000])
    parser.add_argument("--cores", type=int, default=32, help="cores of a node")
    parser.add_argument("--image-mpx", type=float, default=4.0, help="size of an image, Mpx")
    parser.add_argument("--scan-mpx", type=float, default=1e6, help="size of a scan, Mpx")
    parser.add_argument(
        "--piece-mpx", type=float, default=100.0, help="size of the files it is cut into, Mpx"
    )
    parser.add_argument("--density", type=float, default=1000.0, help="beads a megapixel of the scan")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        template = Template(Path(folder))
        print("| images | planes | beads | merge, CPU s | planes/s | beads/s | peak, MB | ledger, GB |")
        print("|---|---|---|---|---|---|---|---|", flush=True)
        by = list[Merged]()
        plans = [(images, 1) for images in args.images] + [(args.stacks, PLANES)]
        dense = FOLDER_IMAGES, 1, args.stacks * PLANES * args.beads // FOLDER_IMAGES
        for plan in (*((images, planes, planes * args.beads) for images, planes in plans), dense):
            one = merged(template, *plan)
            by.append(one)
            cells = (one.images, one.rows, one.beads, f"{one.seconds:.1f}", f"{one.rows / one.seconds:.0f}")
            cells += (f"{one.beads / one.seconds:.0f}", f"{one.peak / 1e6:.0f}", f"{one.ledger / 1e9:.3g}")
            print("|", *(f"{cell} |" for cell in cells), flush=True)
        of = measured(template)
    print("\n| constant | value |\n|---|---|")
    print(f"| segment, CPU s a megapixel | {of.megapixel:.3f} |")
    print(f"| mask, bytes a megapixel | {of.mask:.0f} |")
    print(f"| entries of the ledger written, a second | {of.entries:.0f} |")
    print(f"| beads.csv, bytes a bead | {by[-1].table / by[-1].beads:.0f} |")
    images, pieces = 1e6, args.scan_mpx / args.piece_mpx
    many = Work(images * args.image_mpx, images, images * args.beads)
    scan = Work(args.scan_mpx, pieces, args.scan_mpx * args.density)
    print_plan("many images", many, of, by, args.nodes, args.cores)
    print_plan("a scan", scan, of, by, args.nodes, args.cores)


if __name__ == "__main__":
    main()
