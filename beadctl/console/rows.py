"""Rows on standard output in the form that is asked for: a table, CSV, JSON and others."""

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from beadctl.console import parquet
from beadctl.console.stdout import print_text, standard_output
from beadctl.console.table import print_table
from beadctl.errors import OutputError
from beadctl.text import cell, csv_line, json_text


class Form(StrEnum):
    """Form of a table on standard output."""

    AUTO = "auto"
    CSV = "csv"
    TSV = "tsv"
    JSON = "json"
    JSONL = "jsonl"
    PARQUET = "parquet"
    MD = "md"
    TABLE = "table"

    def chosen(self, piped: "Form") -> "Form":
        """Return the form that ``auto`` stands for: a table on a terminal, else `piped`."""
        if self is not Form.AUTO:
            return self
        with standard_output() as file:
            return Form.TABLE if file.isatty() else piped


# Forms of one line a row.
DELIMITERS = {Form.CSV: ",", Form.TSV: "\t"}


class RowPrinter:
    """Prints rows on standard output: CSV, TSV and JSON lines at once, other forms at the end.

    Parameters
    ----------
    form : Form
        The form; ``auto`` is a table on a terminal, else CSV.
    columns, heads : sequence of str and mapping of str to str
        All columns, in the order of CSV, and the headers of those of a table; by default all.
    types : mapping of str to type
        Type of the values of columns, for Parquet: those of others are text.

    Raises
    ------
    MissingExtraError
        If Parquet is asked for and pyarrow is not installed.
    OutputError
        If Parquet, which is not text, would go to a terminal.
    """

    def __init__(
        self,
        form: Form,
        columns: Sequence[str],
        heads: Mapping[str, str] | None = None,
        types: Mapping[str, type] = MappingProxyType({}),
    ) -> None:
        self._form, self._columns, self._types = form.chosen(Form.CSV), columns, types
        if self._form is Form.PARQUET:
            parquet.require()
            with standard_output() as file:
                if file.isatty():
                    raise OutputError("standard output: is a terminal; send Parquet to a file with > FILE")
        self._heads = heads or {column: column for column in columns}
        self._rows: list[Mapping[str, Any]] = []
        self._has_header = False

    def row(self, row: Mapping[str, Any]) -> None:
        """Take one row: a value for each column."""
        if delimiter := DELIMITERS.get(self._form):
            self._header()
            print_text(csv_line([cell(row[column]) for column in self._columns], delimiter))
        elif self._form is Form.JSONL:
            _print_json(row, None)
        else:
            self._rows.append(row)

    def end(self) -> None:
        """Finish the table after the last row."""
        if self._form in DELIMITERS:
            self._header()
        elif self._form is Form.JSON:
            _print_json(self._rows, 2)
        elif self._form is Form.MD:
            print_text(_markdown(self._heads, self._rows))
        elif self._form is Form.PARQUET:
            with standard_output() as file:
                file.buffer.write(parquet.encoded(self._columns, self._rows, self._types))
        elif self._form is Form.TABLE:
            rows = [[shown(row[name]) for name in self._heads] for row in self._rows]
            print_table("", tuple(self._heads.values()), rows, to_stdout=True)

    def _header(self) -> None:
        # Printed with the first row, so that a command that fails before prints nothing.
        if not self._has_header:
            print_text(csv_line(self._columns, DELIMITERS[self._form]))
        self._has_header = True


def _markdown(heads: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Return a table of Markdown, its cells as a table for people has them."""
    cells = [[shown(row[name]).replace("|", "\\|") for name in heads] for row in rows]
    lines = [list(heads.values()), ["---"] * len(heads), *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def print_rows(form: Form, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows of cells under `columns` on standard output; see `RowPrinter`."""
    printer = RowPrinter(form, columns)
    for row in rows:
        printer.row(dict(zip(columns, row, strict=True)))
    printer.end()


def print_record(
    form: Form, record: Mapping[str, Any], columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Print a record on standard output: whole as JSON, else its rows of cells under `columns`."""
    if form in (Form.JSON, Form.JSONL):
        _print_json(record, 2 if form is Form.JSON else None)
    else:
        print_rows(form, columns, rows)


def shown(value: object) -> str:
    """Return a value as a table for people has it: as `cell`, but with four significant digits."""
    return f"{value:.4g}" if isinstance(value, float) and not math.isnan(value) else cell(value)


def _print_json(value: object, indent: int | None) -> None:
    text = json_text(value, indent=indent)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(json.loads(text), indent=indent)
    print_text(text)
