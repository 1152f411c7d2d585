"""The ledger on standard output: a table for people, CSV or JSON for programs."""

import json
import sys
from enum import StrEnum
from typing import Protocol

from beadctl import console
from beadctl.ledger import COLUMNS, Row, cell, line

# Column of the ledger -> its head in a table for people, who have eighty characters.
HEADS = {
    "image": "image",
    "plane": "plane",
    "status": "status",
    "count": "beads",
    "mean_diameter_px": "mean px",
    "mean_diameter_um": "mean um",
    "reason": "reason",
}
SHOWN = tuple(HEADS.values())


class Form(StrEnum):
    """A form of the table."""

    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    TABLE = "table"

    @classmethod
    def chosen(cls, name: str) -> "Form":
        """Return the form that `name` asks for; ``auto`` is a table on a terminal, else CSV."""
        if name == "auto":
            return cls.TABLE if sys.stdout.isatty() else cls.CSV
        return cls(name)


class Printer(Protocol):
    """Takes rows as they come; CSV and JSON lines appear at once, a table or an array at the end."""

    def row(self, row: Row) -> None:
        """Take one row."""

    def end(self) -> None:
        """No more rows will come."""


def printer(form: Form) -> Printer:
    """Return the printer of a form."""
    return _Lines(form) if form in (Form.CSV, Form.JSONL) else _Whole(form)


def cells(row: Row) -> list[str]:
    """Return what a person's table shows of a row, under `SHOWN`."""
    content = row.cells()
    return [
        f"{content[name]:.4g}" if isinstance(content[name], float) else cell(content[name]) for name in HEADS
    ]


class _Lines:
    def __init__(self, form: Form) -> None:
        self._form = form
        if form is Form.CSV:
            _print(line(COLUMNS))

    def row(self, row: Row) -> None:
        if self._form is Form.CSV:
            _print(line([cell(value) for value in row.cells().values()]))
        else:
            _print(json.dumps(row.cells()))

    def end(self) -> None:
        pass


class _Whole:
    def __init__(self, form: Form) -> None:
        self._form = form
        self._rows: list[Row] = []

    def row(self, row: Row) -> None:
        self._rows.append(row)

    def end(self) -> None:
        if self._form is Form.JSON:
            _print(json.dumps([row.cells() for row in self._rows], indent=2))
        else:
            console.print_table("", SHOWN, [cells(row) for row in self._rows], to_stdout=True)


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
