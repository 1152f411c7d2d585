"""The ledger: one row per image plane, kept so that a rerun skips what is done.

Below ``.beadctl/parts`` there is one file per image. Its first line is a JSON object with the image's rows,
where it was, a key made of its content, the model and the settings, and the stamps of its output files; the
others are the lines of beads.csv, which are read and written one at a time. It is written before the outputs
get their names, and the image counts as done only when all exist with these stamps; so a killed run can be
continued, and no other file is taken for a result. The tables are composed of these parts.
"""

import contextlib
import csv
import dataclasses
import errno
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args, get_type_hints

from beadctl.errors import OutputError, SettingsError
from beadctl.files import TEMPORARY, atomic
from beadctl.images import PARTS, RESULTS_MARK
from beadctl.printable import printable
from beadctl.results.written import Stamp
from beadctl.segmentation.bead_table import COLUMNS as MEASURED
from beadctl.text import cell, csv_line, name_text
from beadctl.url import Url

Status = Literal["ok", "failed", "skipped"]
FOLDER = RESULTS_MARK


@dataclass(frozen=True)
class Row:
    """One plane of one image.

    Attributes
    ----------
    image : str
        Path below the input folder, with forward slashes, as `beadctl.text.name_text` writes it.
    plane, position : int and str
        Number of the plane in its file, from 0, and place in the stack, such as ``T=0 Z=3``; empty for a
        single plane.
    status, reason : str
        ``ok``, ``failed``, or ``skipped`` (done by an earlier run, whose figures are shown), and why.
    count : int or None
        Beads; None where there is no count.
    height_px, width_px, pixel_size_um : int and float, or None
        Size of the plane, and edge of a pixel, where known.
    mean_diameter_px, sd_diameter_px, mean_diameter_um : float or None
        Equivalent diameters of the beads, also of those that the border cuts.
    covered_fraction, mean_confidence : float or None
        Area of the beads over that of the field, and mean confidence of the beads.
    shrink : int or None
        Factor by which the plane was shrunk for the network.
    field_area_px, field_area_um2 : int and float, or None
        Area in which beads are counted: that of the region or of the counting frame, or of the plane.
    filtered : int or None
        Beads that the filters left out; they are not counted.
    doubt : float or None
        Estimated probability that the count is wrong; see `beadctl.segmentation.quality.doubt`.
    quality : str
        Flags, separated by spaces; see `beadctl.segmentation.quality.flags`.
    count_low, count_high : float or None
        Exact 95 % interval of the mean of a Poisson distribution from the count; see
        `beadctl.counting.interval.poisson_interval`.
    density_per_mm2 : float or None
        Beads per square millimetre of the field.
    p10_diameter_px, p50_diameter_px, p90_diameter_px : float or None
        Diameters below which are 10, 50 and 90 % of the beads.
    sd_diameter_um, p10_diameter_um, p50_diameter_um, p90_diameter_um : float or None
        As above, where the pixel size is known.
    singlets, doublets, clusters : int or None
        Beads that touch no other, pairs, and groups of three or more; counted beads alone.
    detection_low, detection_high : float or None
        Number of true beads by the precision and recall of the model; see
        `beadctl.counting.detection.detection_interval`.
    threshold_low, threshold_high : int or None
        Least and largest count over other thresholds.
    field_low, field_high : float or None
        95 % interval of the true number of beads in the field; see `beadctl.counting.detection`.
    combined_low, combined_high : float or None
        95 % interval of the mean count of such fields, by chance and by the model's errors.
    unresolved_beads : int or None
        Beads that clumps may hold beyond the count; see `beadctl.segmentation.unresolved.unresolved_beads`.
    border_beads : int or None
        Beads that touch the border of the plane, or a gap in it; see `beadctl.counting.border`.
    """

    image: str
    plane: int
    position: str
    status: Status
    count: int | None = None
    height_px: int | None = None
    width_px: int | None = None
    pixel_size_um: float | None = None
    mean_diameter_px: float | None = None
    sd_diameter_px: float | None = None
    mean_diameter_um: float | None = None
    covered_fraction: float | None = None
    mean_confidence: float | None = None
    shrink: int | None = None
    reason: str = ""
    field_area_px: int | None = None
    field_area_um2: float | None = None
    filtered: int | None = None
    doubt: float | None = None
    quality: str = ""
    count_low: float | None = None
    count_high: float | None = None
    density_per_mm2: float | None = None
    p10_diameter_px: float | None = None
    p50_diameter_px: float | None = None
    p90_diameter_px: float | None = None
    sd_diameter_um: float | None = None
    p10_diameter_um: float | None = None
    p50_diameter_um: float | None = None
    p90_diameter_um: float | None = None
    singlets: int | None = None
    doublets: int | None = None
    clusters: int | None = None
    detection_low: float | None = None
    detection_high: float | None = None
    threshold_low: int | None = None
    threshold_high: int | None = None
    field_low: float | None = None
    field_high: float | None = None
    combined_low: float | None = None
    combined_high: float | None = None
    unresolved_beads: int | None = None
    border_beads: int | None = None

    @property
    def place(self) -> str:
        """The image, and the number of the plane where its file has several, for messages."""
        return f"{self.image}, plane {self.plane}" if self.position else self.image

    def cells(self) -> dict[str, Any]:
        """Return the row as plain values in the order of `COLUMNS`."""
        # Many times faster than dataclasses.asdict, which copies what is not plain too.
        return dict(vars(self))


COLUMNS = tuple(field.name for field in dataclasses.fields(Row))
TYPES = {
    name: next((one for one in (int, float) if one in (kind, *get_args(kind))), str)
    for name, kind in get_type_hints(Row).items()
}
"""Type of the values of each column that are no text."""
# What a file may hold in each column: a `Literal` is text, and a whole number stands for a float too.
_KINDS = {
    name: {str: str, int: kind, float: kind | int}[TYPES[name]] for name, kind in get_type_hints(Row).items()
}
BEAD_COLUMNS = ("image", "plane", *MEASURED, "in_plane")


Beads = Callable[[], Iterable[Mapping[str, Any]]]
"""Gives the beads of an image one at a time, by `BEAD_COLUMNS`: a plane may have a million."""


@dataclass(frozen=True)
class ImageResult:
    """The rows of the planes of one input image, and its beads."""

    rows: tuple[Row, ...]
    beads: Beads = field(default=tuple, compare=False, repr=False)

    @property
    def failed(self) -> bool:
        """Whether any plane failed."""
        return any(row.status == "failed" for row in self.rows)


@dataclass(frozen=True)
class Entry:
    """What the ledger holds of one image.

    Attributes
    ----------
    key : str
        Made of its content, the model and the settings.
    source : str
        Absolute path of the image file; empty in entries of version 0.2.
    result : ImageResult
        Its rows.
    written : mapping of str to Stamp, or None
        Its output files by their path below the folder of results; None in entries of version 0.2, where all
        files with the names of outputs are taken for them.
    """

    key: str
    source: str
    result: ImageResult
    written: Mapping[str, Stamp] | None = field(default_factory=dict)


def failed(image: PurePosixPath, reason: str) -> ImageResult:
    """Return the result of an image that could not be read: one row with the reason."""
    return ImageResult((Row(name_text(image), 0, "", "failed", reason=printable(reason)),))


def skipped(result: ImageResult, beads: Beads = tuple) -> ImageResult:
    """Return the result of an earlier run as the current run reports it."""
    changes: dict[str, Any] = {"status": "skipped", "reason": "done by an earlier run"}
    return ImageResult(tuple(dataclasses.replace(row, **changes) for row in result.rows), beads)


def path_of(out_dir: Path, image: PurePosixPath) -> Path:
    """Return the path of the ledger's file of an image."""
    return Path(out_dir, FOLDER, PARTS, f"{image}.json")


def save(out_dir: Path, image: PurePosixPath, entry: Entry, lines: Iterable[str] = ()) -> None:
    """Write the entry of an image, and the lines of its beads, whole or not at all."""
    content = {
        "key": entry.key,
        "source": entry.source,
        "rows": [row.cells() for row in entry.result.rows],
        "written": {path: vars(stamp) for path, stamp in (entry.written or {}).items()},
    }
    with (
        atomic(path_of(out_dir, image)) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        file.write(json.dumps(content) + "\n")
        file.writelines(lines)


def bead_line(bead: Mapping[str, Any]) -> str:
    """Return the line of beads.csv for a bead."""
    return csv_line(cell(bead[name]) for name in BEAD_COLUMNS) + "\n"


def bead_lines(out_dir: Path, image: PurePosixPath) -> Iterator[str]:
    """Yield the lines of the beads of an image; errors are those of `read`."""
    path = path_of(out_dir, image)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            next(file, "")
            yield from file
    except (OSError, ValueError):
        raise _unreadable(path) from None


def beads(out_dir: Path, image: PurePosixPath) -> Iterator[dict[str, Any]]:
    """Yield the beads of an image as text by `BEAD_COLUMNS`, the number of their plane as a number.

    Errors are those of `read`.
    """
    try:
        for bead in csv.DictReader(bead_lines(out_dir, image), BEAD_COLUMNS):
            yield {**bead, "plane": int(bead["plane"])}
    except (ValueError, TypeError, csv.Error):
        raise _unreadable(path_of(out_dir, image)) from None


def read(out_dir: Path, image: PurePosixPath) -> Entry | None:
    """Return the entry of an image that an earlier run left, or None.

    Raises
    ------
    OutputError
        If the ledger's file cannot be read.
    """
    path = path_of(out_dir, image)
    try:
        with path.open(encoding="utf-8") as file:
            content = json.loads(next(file, ""))
        rows = tuple(map(row_of, content["rows"]))
        if not rows:
            raise ValueError("no row")
        stamps = content.get("written")
        written = (
            None if stamps is None else {_inside(name): Stamp(**stamp) for name, stamp in stamps.items()}
        )
        source = str(content.get("source", ""))
        # An address that is none is not what a run wrote.
        Url.parse(source)
        return Entry(str(content["key"]), source, ImageResult(rows), written)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, SettingsError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if (isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG) or path.is_dir():
            # An image of such a name has no results; nor has one named like a folder of others.
            return None
        raise _unreadable(path) from None


def row_of(values: Mapping[str, Any]) -> Row:
    """Return the row of values that were read; a TypeError if one has not the type of its column."""
    row = Row(**values)
    if row.status not in get_args(Status):
        raise TypeError("status")
    for name, value in values.items():
        if not isinstance(value, _KINDS[name]) or isinstance(value, bool):
            raise TypeError(name)
    return row


def _inside(path: str) -> str:
    """Return the path of an output; a ValueError if it does not lie below the folder of results."""
    if Path(path).anchor or ".." in Path(path).parts:
        raise ValueError(path)
    return path


def _unreadable(path: Path) -> OutputError:
    return OutputError(f"{path}: cannot be read; remove it and run again, or run with --overwrite")


def names(out_dir: Path) -> Iterator[str]:
    """Yield the images that the ledger of a folder knows, in no order; they are not in memory together."""
    parts, below = out_dir / FOLDER / PARTS, [""]
    while below:
        folder = below.pop()
        with contextlib.suppress(OSError), os.scandir(parts / folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    below.append(f"{folder}{entry.name}/")
                elif entry.name.endswith(".json") and not entry.name.startswith(TEMPORARY):
                    yield folder + entry.name.removesuffix(".json")


def images(out_dir: Path) -> list[str]:
    """Return the images that the ledger of a folder knows, sorted."""
    return sorted(names(out_dir))
