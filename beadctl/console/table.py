"""Tables: for people on a terminal, and as CSV or JSON for programs."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

from beadctl.console.messages import stderr
from beadctl.files import cell, csv_line, json_text


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, to_stdout: bool = False
) -> None:
    """Print a table: numbers to the right, words to the left.

    Parameters
    ----------
    title : str
        Said above the table; may be empty.
    columns : sequence of str
        Headers.
    rows : iterable of sequences of str
        Cells, as many as there are columns.
    to_stdout : bool
        The table is the result that was asked for, not a word about it.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = [list(row) for row in rows]
    table = Table(
        title=title or None,
        box=SIMPLE_HEAD,
        title_justify="left",
        title_style="bold",
        show_header=any(columns),
    )
    for index, column in enumerate(columns):
        numeric = all(_is_number(row[index]) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console(file=sys.stdout) if to_stdout else stderr()
    if not console.is_terminal:
        # A file has no right margin, and what is folded there cannot be searched.
        console = Console(file=console.file, width=10_000)
    console.print(table)


def _is_number(cell: str) -> bool:
    try:
        float(cell.rstrip("%") or 0)
    except ValueError:
        return False
    return True


class Form(StrEnum):
    """Form of a table on standard output; auto: a table on a terminal, else CSV."""

    AUTO = "auto"
    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    TABLE = "table"


class Printer(Protocol):
    """Takes rows as they come; CSV and JSON lines appear at once, a table or an array at the end."""

    def row(self, row: Mapping[str, Any]) -> None:
        """Take one row: a value for each column."""

    def end(self) -> None:
        """No more rows will come."""


def printer(form: Form, columns: Sequence[str], heads: Mapping[str, str] | None = None) -> Printer:
    """Return what prints rows on standard output.

    Parameters
    ----------
    form : Form
        The form; ``auto`` is a table on a terminal, else CSV.
    columns : sequence of str
        All columns, for programs.
    heads : mapping of str to str, optional
        The columns that a table for people shows, and their headers; by default all.
    """
    if form is Form.AUTO:
        form = Form.TABLE if sys.stdout.isatty() else Form.CSV
    if form in (Form.CSV, Form.JSONL):
        return _Lines(form, columns)
    return _Whole(form, heads or {column: column for column in columns})


class _Lines:
    def __init__(self, form: Form, columns: Sequence[str]) -> None:
        self._form, self._columns, self._begun = form, columns, False

    def row(self, row: Mapping[str, Any]) -> None:
        self._begin()
        if self._form is Form.CSV:
            _print(csv_line([cell(row[column]) for column in self._columns]))
        else:
            _print(json_text(row, indent=None))

    def end(self) -> None:
        self._begin()

    def _begin(self) -> None:
        # With the first row and not before: a command that fails prints no header either.
        if not self._begun and self._form is Form.CSV:
            _print(csv_line(self._columns))
        self._begun = True


class _Whole:
    def __init__(self, form: Form, heads: Mapping[str, str]) -> None:
        self._form, self._heads = form, heads
        self._rows: list[Mapping[str, Any]] = []

    def row(self, row: Mapping[str, Any]) -> None:
        self._rows.append(row)

    def end(self) -> None:
        if self._form is Form.JSON:
            _print(json_text(self._rows))
        else:
            rows = [[_shown(row[name]) for name in self._heads] for row in self._rows]
            print_table("", tuple(self._heads.values()), rows, to_stdout=True)


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else cell(value)


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
