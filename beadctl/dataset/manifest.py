"""The manifest of a folder of tiles, as ``beadctl tile`` writes it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from beadctl.annotations import AnnotationFormat
from beadctl.annotations.reading import read
from beadctl.annotations.sample import Sample
from beadctl.errors import AnnotationError, TrainingError
from beadctl.files import sha256
from beadctl.images import Levels

MANIFEST = "manifest.csv"
SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class TileRow:
    """One line of the manifest.

    Attributes
    ----------
    split : str
        ``train``, ``val`` or ``test``.
    image, mask : Path
        The tile and its label image.
    source : str
        Name of the image that the tile was cut from.
    top, left, height, width : int
        Its place in that image, px. A tile is smaller than the others where its image is; the padded tiles
        of beadctl up to 0.2 cannot be told from others.
    beads, cut : int
        Beads in it, with the labels of the source image, and how many of them its border cuts; `cut` is 0 in
        manifests without this column.
    low, median, high : float
        `Levels` of the whole source plane, grey levels.
    sha256 : str
        SHA-256 of the tile's file.
    """

    split: str
    image: Path
    mask: Path
    source: str
    top: int
    left: int
    height: int
    width: int
    beads: int
    low: float
    median: float
    high: float
    sha256: str
    cut: int = 0

    @property
    def levels(self) -> Levels:
        """Levels of the whole source plane."""
        return Levels(self.low, self.median, self.high)

    @classmethod
    def of(cls, folder: Path, cells: Mapping[str, Any]) -> TileRow:
        """Return the row with these values by column, whose paths are below `folder`."""
        return cls(**{**cells, "image": folder / cells["image"], "mask": folder / cells["mask"]})

    def cells(self, folder: Path) -> dict[str, Any]:
        """Return the values by column, with paths below `folder`."""
        values = {name: getattr(self, name) for name in COLUMNS}
        return values | {name: values[name].relative_to(folder).as_posix() for name in ("image", "mask")}


COLUMNS = tuple(field.name for field in fields(TileRow))
_NUMBERS = {field.name: {"int": int, "float": float}.get(str(field.type)) for field in fields(TileRow)}


def read_manifest(folder: Path) -> tuple[TileRow, ...]:
    """Read the manifest of a folder of tiles, as ``beadctl tile`` wrote it; return its rows in order.

    Raises
    ------
    TrainingError
        If there is no manifest.
    AnnotationError
        If it lacks columns or a value cannot be read.
    """
    required = [field.name for field in fields(TileRow) if field.default is MISSING]
    records = _records(folder, required)
    path = folder / MANIFEST
    return tuple(_row(folder, record, f"{path}, line {line}") for line, record in enumerate(records, start=2))


def tile_files(folder: Path) -> list[tuple[str, Path, Path]]:
    """Return source, image and mask of each tile; errors are those of `read_manifest`.

    Manifests of earlier versions, which have not all of today's columns, are read too.
    """
    names = ("source", "image", "mask")
    rows = [[record[name] or "" for name in names] for record in _records(folder, names)]
    return [(source, folder / image, folder / mask) for source, image, mask in rows]


def _records(folder: Path, required: Sequence[str]) -> list[dict[str, str]]:
    path = folder / MANIFEST
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            records, columns = list(reader), reader.fieldnames or ()
    except (FileNotFoundError, NotADirectoryError):
        raise TrainingError(f"{path}: not found; write training tiles with: beadctl tile") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise AnnotationError(
            f"{path}: cannot be read ({error}); write it again with: beadctl tile"
        ) from None
    missing = [name for name in required if name not in columns]
    if missing:
        raise AnnotationError(
            f"{path}: lacks the column {', '.join(missing)}; write it again with: beadctl tile"
        )
    return records


def _row(folder: Path, record: dict[str, str], place: str) -> TileRow:
    values: dict[str, Any] = {name: record[name] or "" for name in COLUMNS if name in record}
    for name in values:
        number = _NUMBERS[name]
        try:
            values[name] = number(values[name]) if number else values[name]
        except ValueError:
            raise AnnotationError(f"{place}: {name} = {values[name]!r} is not a number; correct it") from None
    if values["split"] not in SPLITS:
        raise AnnotationError(
            f"{place}: split = {values['split']!r} is none of {', '.join(SPLITS)}; correct it"
        )
    return TileRow.of(folder, values)


def samples(rows: Iterable[TileRow]) -> list[Sample]:
    """Return the tiles of `rows` as annotated images, each with the levels of its source."""
    return [
        Sample(
            row.image.name,
            row.image,
            row.mask,
            partial(read, row.mask, form=AnnotationFormat.LABELS),
            row.source,
            row.split,
            row.levels,
        )
        for row in rows
    ]


def tile_size(rows: Iterable[TileRow]) -> int:
    """Return the edge of the largest square that fits in a tile, px; 0 without tiles."""
    return max((min(row.height, row.width) for row in rows), default=0)


def fingerprint(folder: Path) -> str:
    """Return the SHA-256 of a tile folder's manifest, which holds those of the tiles, as 64 hex digits."""
    return sha256(folder / MANIFEST)
