"""The ledger: one row per image plane, whatever happened to it, kept so that a rerun skips what is done.

A folder of results holds, below ``.beadctl/parts``, one small file per input image: its rows, its
beads, and a key made of the image's content, the model and the settings. A part is written whole
before its masks take their place, and counts as done only when both stand; so a run may be killed
anywhere and goes on where it was. ``counts.csv`` and ``beads.csv`` are composed of the parts.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from beadctl.errors import OutputError
from beadctl.files import write_text
from beadctl.images import RESULTS_MARK

Status = Literal["ok", "failed", "skipped"]
FOLDER = RESULTS_MARK


@dataclass(frozen=True)
class Row:
    """One plane of one image.

    Attributes
    ----------
    image : str
        Path below the input folder, with forward slashes.
    plane : int
        Number of the plane in its file, from 0.
    position : str
        Where the plane stands in the stack, such as ``T=0 Z=3``; empty for a single one.
    status : str
        ``ok``, ``failed``, or ``skipped`` (done by an earlier run: the figures are that run's).
    count : int or None
        Beads; 0 is a count, None means that there is none.
    height_px, width_px : int or None
        Size of the plane.
    pixel_size_um : float or None
        Edge of a pixel, where known.
    mean_diameter_px, sd_diameter_px, mean_diameter_um : float or None
        Equivalent diameters of the beads.
    covered_fraction : float or None
        Area of the beads over area of the plane.
    mean_confidence : float or None
        Mean over beads of the mean probability within.
    shrink : int or None
        Factor by which the plane was shrunk for the network; 1 for as it is.
    reason : str
        Why the plane failed or was skipped, in words.
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

    def cells(self) -> dict[str, Any]:
        """Return the row as plain values in the order of `COLUMNS`."""
        return dataclasses.asdict(self)


COLUMNS = tuple(field.name for field in dataclasses.fields(Row))


@dataclass(frozen=True)
class Part:
    """What is known of one input image: its planes' rows and its beads' rows."""

    rows: tuple[Row, ...]
    beads: tuple[Mapping[str, Any], ...]

    @property
    def failed(self) -> bool:
        """Whether any plane failed."""
        return any(row.status == "failed" for row in self.rows)


def failed(image: PurePosixPath, reason: str) -> Part:
    """Return the part of an image that could not be read at all: one row that says why."""
    return Part((Row(str(image), 0, "", "failed", reason=reason),), ())


def path_of(out_dir: Path, image: PurePosixPath) -> Path:
    """Return where the part of `image` stands."""
    return out_dir / FOLDER / "parts" / image.with_name(f"{image.name}.json")


def save(out_dir: Path, image: PurePosixPath, fingerprint: str, part: Part) -> None:
    """Write the part of `image`, whole or not at all."""
    content = {
        "key": fingerprint,
        "rows": [row.cells() for row in part.rows],
        "beads": [list(bead.values()) for bead in part.beads],
        "columns": list(part.beads[0]) if part.beads else [],
    }
    write_text(path_of(out_dir, image), json.dumps(content))


def recall(out_dir: Path, image: PurePosixPath) -> tuple[str, Part] | None:
    """Return the key and the part of `image` that an earlier run left, or None."""
    path = path_of(out_dir, image)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        rows = tuple(Row(**row) for row in content["rows"])
        beads = tuple(dict(zip(content["columns"], bead, strict=True)) for bead in content["beads"])
        return str(content["key"]), Part(rows, beads)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError):
        raise OutputError(
            f"{path}: cannot be read; remove it and run again, or run with --overwrite"
        ) from None


def images(out_dir: Path) -> list[str]:
    """Return the images whose parts stand in a folder of results, sorted."""
    parts = out_dir / FOLDER / "parts"
    return sorted(path.relative_to(parts).as_posix().removesuffix(".json") for path in parts.rglob("*.json"))


def recalled(out_dir: Path, image: str) -> tuple[str, Part]:
    """Return the key and the part of an image that `images` named."""
    found = recall(out_dir, PurePosixPath(image))
    assert found is not None
    return found


def skipped(part: Part) -> Part:
    """Return an earlier run's part as this run tells it."""
    rows = tuple(
        dataclasses.replace(row, status="skipped", reason="done by an earlier run") for row in part.rows
    )
    return Part(rows, part.beads)
