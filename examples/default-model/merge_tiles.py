"""Join folders of tiles: merge_tiles.py OUT FOLDER[=TIMES]...

OUT gets one manifest of all tiles, in which the training tiles of a folder stand so many times, and links to
the folders.
"""

import csv
import sys
from pathlib import Path


def main(out: Path, folders: list[str]) -> None:
    """Write the manifest of `out`."""
    out.mkdir(parents=True, exist_ok=True)
    columns: list[str] = []
    rows = []
    for argument in folders:
        name, _, times = argument.partition("=")
        folder = Path(name).resolve()
        (out / folder.name).symlink_to(folder)
        with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            columns = list(reader.fieldnames or ())
            for row in reader:
                row |= {key: f"{folder.name}/{row[key]}" for key in ("image", "mask")}
                rows += [row] * (int(times or 1) if row["split"] == "train" else 1)
    with (out / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
