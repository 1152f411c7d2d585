"""Compare the results of two source trees of beadctl, file by file, on the same images.

Each tree segments every folder with its own code and default settings; then tables and overlays are compared
byte by byte, and label images pixel by pixel with their pixel size (each OME-TIFF has an identifier of its
own).

    git worktree add ../before COMMIT
    python tests/benchmarks/compare_installs.py ../before . -o compared examples/images "$BEADCTL_DATA"

A folder is segmented without what lies in folders called masks, valid or results. Exit code 1 if anything
differs.
"""

import argparse
import csv
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import tifffile

NOT_IMAGES = ("masks", "valid", "results")
SUFFIXES = {".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp"}


def image_folders(roots: list[Path]) -> list[Path]:
    """Return every folder below the roots that holds images."""
    found = {path.parent for root in roots for path in root.rglob("*") if path.suffix.lower() in SUFFIXES}
    return sorted(folder for folder in found if not set(folder.parts) & set(NOT_IMAGES))


def segment(tree: Path, folder: Path, out: Path) -> int:
    """Segment a folder with the code of a tree; images in its subfolders are left to their own call."""
    images = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BEADCTL_")}
    command = [sys.executable, "-m", "beadctl", "segment", *map(str, images), "-o", str(out), "-q"]
    return subprocess.run(
        command,
        env=environment | {"PYTHONPATH": str(tree.resolve())},
        cwd=out.parent,
        stdin=subprocess.DEVNULL,
        check=False,
    ).returncode


def rows(path: Path) -> dict[tuple[str, ...], dict[str, str]]:
    """Return the rows of a table by their image, plane and bead."""
    with path.open(newline="", encoding="utf-8") as file:
        return {(row["image"], row["plane"], row.get("label", "")): row for row in csv.DictReader(file)}


def same_masks(one: Path, other: Path) -> bool:
    """Whether two label images have the same pixels, axes and pixel size."""
    facts = []
    for path in (one, other):
        with tifffile.TiffFile(path) as tiff:
            series = tiff.series[0]
            metadata = tifffile.xml2dict(tiff.ome_metadata or "<OME/>")
            image = metadata["OME"].get("Image", {})
            sizes = [
                entry["Pixels"].get("PhysicalSizeX")
                for entry in (image if isinstance(image, list) else [image])
            ]
            facts.append((series.axes, sizes, [page.asarray() for page in tiff.pages]))
    (axes, sizes, pages), (other_axes, other_sizes, other_pages) = facts
    return (axes, sizes, len(pages)) == (other_axes, other_sizes, len(other_pages)) and all(
        np.array_equal(page, page_) for page, page_ in zip(pages, other_pages, strict=True)
    )


def table_changes(one: Path, other: Path) -> Counter[str]:
    """Return what differs between two tables, in words, with how often."""
    before, after = rows(one), rows(other)
    changes: Counter[str] = Counter()
    for key in before.keys() | after.keys():
        if key not in before or key not in after:
            changes[f"{key[0]} plane {key[1]}: rows only in one"] += 1
            continue
        for column in before[key].keys() | after[key].keys():
            values = before[key].get(column), after[key].get(column)
            if values[0] != values[1]:
                changes[
                    f"{column}: {values[0]} -> {values[1]}"
                    if one.name == "beads.csv"
                    else f"{key[0]} plane {key[1]} {column}: {values[0]} -> {values[1]}"
                ] += 1
    return changes


def compare(before: Path, after: Path) -> tuple[int, list[str]]:
    """Return how many files were compared, and what differs."""
    names = {
        path.relative_to(root).as_posix()
        for root in (before, after)
        for path in root.rglob("*")
        if path.is_file() and ".beadctl" not in path.parts and path.name not in ("run.json", "settings.toml")
    }
    differences = []
    for name in sorted(names):
        one, other = before / name, after / name
        if not one.exists() or not other.exists():
            differences.append(f"{name}: only in one")
        elif one.read_bytes() == other.read_bytes():
            continue
        elif name.endswith("_masks.tif"):
            if not same_masks(one, other):
                differences.append(f"{name}: other labels")
        elif name.endswith(".csv"):
            differences += [
                f"{name}: {words} ({count})" for words, count in table_changes(one, other).items()
            ]
        else:
            differences.append(f"{name}: other bytes")
    return len(names), differences


def main() -> int:
    """Segment with both trees, compare, print what differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before", type=Path, help="source tree")
    parser.add_argument("after", type=Path, help="source tree")
    parser.add_argument("roots", type=Path, nargs="+", help="folders of images")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder of the results of both")
    arguments = parser.parse_args()
    files, different = 0, 0
    for folder in image_folders([root.resolve() for root in arguments.roots]):
        name = "_".join(folder.parts[-2:])
        results = [(arguments.out / tree / name).resolve() for tree in ("before", "after")]
        for tree, result in zip((arguments.before, arguments.after), results, strict=True):
            result.parent.mkdir(parents=True, exist_ok=True)
            if not (result / "run.json").exists():
                segment(tree, folder, result)
        count, differences = compare(*results)
        files, different = files + count, different + len(differences)
        print(f"{name}: {count} files, {len(differences) or 'no'} differences", flush=True)
        print("".join(f"  {line}\n" for line in differences), end="")
    print(f"{files} files compared, {different} differences")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
