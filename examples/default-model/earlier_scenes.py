"""Take scenes of the earlier simulator: earlier_scenes.py SCENES OUT.

All clusters of fluorescent beads and all spheres, and a quarter of the others, are linked into OUT, which may
hold those of other folders.
"""

import csv
import os
import sys
from pathlib import Path


def main(scenes: Path, out: Path) -> None:
    """Link the images and masks into `out`."""
    with (scenes / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    all_of = [row for row in rows if row["kind"] in ("fluorescent", "sphere")]
    others = [row for row in rows if row["kind"] in ("transmitted", "nuclear")][::4]
    for row in all_of + others:
        for kind in ("images", "masks"):
            (out / kind).mkdir(parents=True, exist_ok=True)
            os.link(scenes / kind / row["image"], out / kind / f"{scenes.name}_{row['image']}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
