"""The tables and the record of a finished run, read again one row at a time."""

import contextlib
import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from beadctl.counting.stacks import Projection
from beadctl.errors import OutputError
from beadctl.images import Limits, ReadOptions
from beadctl.results import ledger, verify
from beadctl.results.ledger import Row
from beadctl.results.stored import Stored
from beadctl.text import name_text

# Settings of the section [data] by which image files are read, and the types of their values.
READ_TYPES: dict[str, tuple[type, ...]] = {
    "axes": (str,),
    "channel": (int,),
    "plane": (int,),
    "pixel_size": (int, float),
    "series": (int,),
}
# Columns of beads.csv that are read, and the types of their values.
BEAD_TYPES = {"confidence": float, "diameter_px": float, "diameter_um": float, "flags": str}


@dataclass(frozen=True)
class Finished:
    """A folder of results.

    Attributes
    ----------
    folder : Path
        The folder.
    record : mapping
        What ``run.json`` says of the last run.
    names : mapping of str to PurePosixPath
        Images of which the ledger has results, by their names in the tables.
    read : ReadOptions
        How image files were read.
    stored : Stored or None
        The store in which its outputs are; None for those in the folder.
    """

    folder: Path
    record: Mapping[str, Any]
    names: Mapping[str, PurePosixPath]
    read: ReadOptions
    stored: Stored | None = None

    @classmethod
    def of(cls, folder: Path, stored: Stored | None = None) -> "Finished":
        """Read the record.

        Raises
        ------
        OutputError
            If it is no folder of results, or its record or counts.csv is missing or cannot be read.
        """
        images = map(PurePosixPath, verify.images(folder))
        record = verify.read_record(folder)
        try:
            data, limits = record["settings"]["data"], record["settings"].get("images", {})
            asked = {name: _of_type(data.get(name), kinds) for name, kinds in READ_TYPES.items()}
            project = data.get("project")
            for limit in limits.values():
                _of_type(limit, (int,))
            read = ReadOptions(
                pixel_size_um=asked.pop("pixel_size"),
                projection=Projection(project) if project else None,
                limits=Limits(**limits),
                **asked,
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise OutputError(f"{folder / 'run.json'}: cannot be read; run again") from None
        return cls(folder, record, {name_text(name): name for name in images}, read, stored)

    def has(self, output: PurePosixPath) -> bool:
        """Return whether the run has an output file, by its path below the folder."""
        is_there = self.stored is not None and self.stored.has(str(output))
        return is_there or (self.folder / output).is_file()

    def path_of(self, output: PurePosixPath) -> Path:
        """Return the path of an output file, if it is there; of those in a store, until the next call."""
        if self.stored:
            self.stored.bring(self.folder / output)
        return self.folder / output

    def rows(self) -> Iterator[Row]:
        """Yield the rows of counts.csv, in its order.

        Raises
        ------
        OutputError
            If the table is missing, or is not one that beadctl wrote.
        """
        path = self.folder / "counts.csv"
        with as_written(path):
            for cells in _cells(path):
                known = {name: text for name, text in cells.items() if name in ledger.TYPES}
                yield Row(**{name: _value(ledger.TYPES[name], text) for name, text in known.items()})

    def beads(self) -> Iterator[dict[str, Any]]:
        """Yield the values of the rows of beads.csv by `BEAD_TYPES`, None for unknown numbers.

        Errors are those of `rows`.
        """
        path = self.folder / "beads.csv"
        with as_written(path):
            for cells in _cells(path):
                yield {name: _value(kind, cells[name]) for name, kind in BEAD_TYPES.items()}

    def table(self, name: str) -> list[dict[str, str]]:
        """Return the rows of another table of the run as text; none if the run did not write it.

        Errors are those of `rows`.
        """
        path = self.folder / name
        if name not in self.record.get("files", {}) or not path.is_file():
            return []
        with as_written(path):
            return list(_cells(path))


@contextlib.contextmanager
def as_written(path: Path) -> Iterator[None]:
    """Refuse a table in which the block misses a column or a number, or that is no CSV.

    Raises
    ------
    OutputError
        Names the table.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, csv.Error):
        raise OutputError(f"{path}: is not as beadctl wrote it; run again") from None


def _of_type(value: Any, kinds: tuple[type, ...]) -> Any:
    """Return a value of these types, or None; a TypeError if it is another one."""
    if value is not None and not isinstance(value, kinds):
        raise TypeError(value)
    return value


def _cells(path: Path) -> Iterator[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file, restval="")
    except OSError as error:
        raise OutputError(f"{path}: cannot be read ({error.strerror or error}); run again") from None


def _value(kind: type, text: str) -> Any:
    return text if kind is str else kind(text) if text else None
