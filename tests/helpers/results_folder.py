"""What a folder of results holds."""

import csv
from pathlib import Path


def table(path):
    """Return the rows of a CSV file."""
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def counts(path):
    """Return the counts of a counts.csv by image and plane."""
    return {(row["image"], int(row["plane"])): int(row["count"]) for row in table(path)}


def files(folder):
    """Return the paths of all files below a folder."""
    return {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file()}


def states(out):
    """Return the status and count of each image of a folder of results."""
    return {row["image"]: (row["status"], row["count"]) for row in table(out / "counts.csv")}
