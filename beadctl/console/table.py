"""Tables on a terminal, and as CSV or JSON for programs."""

import contextlib
import itertools
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TextIO

from beadctl.console import parquet
from beadctl.console.messages import stderr
from beadctl.errors import OutputError
from beadctl.text import cell, csv_line, json_text

if TYPE_CHECKING:
    from rich.console import Console

# Characters to which a column of words may be folded.
FOLDED = 14
# Head of a column that is never left out: its cells are cut at their ends.
REASON = "reason"


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    total: Sequence[str] | None = None,
    bars: tuple[str, Sequence[str]] | None = None,
    to_stdout: bool = False,
) -> None:
    """Print a table with numbers aligned to the right; nothing if it has no rows.

    On a terminal that is too narrow, the last columns are left out, except one of reasons, which is cut.

    Parameters
    ----------
    title, columns, rows : str, sequence of str, iterable of sequences of str
        Text above the table, which may be empty; headers; and as many cells a row.
    total : sequence of str, optional
        Cells of a last row, below a line.
    bars : tuple of str and sequence of str, optional
        Head and cells of one more column, which is left out where it does not fit a terminal, and in a file.
    to_stdout : bool
        Print on standard output, for a table that is the result; by default on standard error.
    """
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = [list(row) for row in rows]
    if not rows:
        return
    with standard_output() if to_stdout else contextlib.nullcontext(stderr().file) as file:
        console = Console(file=file)
        if not console.is_terminal:
            # Lines of a file are not folded, so that its cells can be searched.
            console = Console(file=file, width=10_000)
        cells = rows if total is None else [*rows, total]
        fitting = _fitting(columns, cells, console.width)
        *_, unfolded = _ends(*_part(columns, cells, fitting), folded=console.width)
        table = Table(title=title or None, box=SIMPLE, title_justify="left", title_style="bold")
        table.show_header, table.show_footer = any(columns), total is not None
        # Columns move together before a name is folded.
        table.collapse_padding = unfolded > console.width
        has_bars = bars is not None and console.is_terminal and _has_room(columns, cells, bars, console)
        room = console.width - (3 + max(map(len, [bars[0], *bars[1]])) if bars and has_bars else 0)
        for index in fitting:
            numeric, column = _is_numeric(rows, index), columns[index]
            justify: Literal["right", "left"] = "right" if numeric else "left"
            last = Text(total[index] if total else "", style="bold")
            if column == REASON:
                longest = _left_for_reasons(columns, cells, fitting, room)
                table.add_column(column, last, overflow="ellipsis", no_wrap=True, max_width=longest)
            else:
                table.add_column(column, last, justify=justify, overflow="fold", no_wrap=numeric)
        ends: Sequence[str] = ()
        if bars and has_bars:
            table.add_column(bars[0], no_wrap=True)
            ends = bars[1]
        for row, *end in itertools.zip_longest(rows, ends) if ends else zip(rows, strict=True):
            table.add_row(*map(Text, [*(row[index] for index in fitting), *end]))
        if missing := [column for index, column in enumerate(columns) if index not in fitting]:
            table.caption = f"too narrow for: {', '.join(missing)}"
        console.print(table)


@contextlib.contextmanager
def standard_output() -> Iterator[TextIO]:
    """Yield standard output and flush it, or raise an `OutputError` if it is closed, full or broken."""
    if sys.stdout is None:
        raise OutputError("standard output: is closed; redirect it to a file")
    try:
        yield sys.stdout
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        # Python would fail again to flush it at exit.
        sys.stdout = None
        raise OutputError(f"standard output: cannot be written ({error.strerror}); redirect it") from None


def columns_that_fit(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> int:
    """Return how many of the first columns of a table fit into a terminal without cutting a figure.

    Parameters
    ----------
    columns, rows : sequence of str and sequence of sequences of str
        Headers and cells; columns of words may be folded to `FOLDED` characters, those of figures may not.
    width : int
        Of the terminal, characters.
    """
    for index, used in enumerate(_ends(columns, rows)):
        if used > width:
            return max(1, index)
    return len(columns)


def _fitting(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """Return the places of the columns to show: the first ones that fit, and that of reasons."""
    places = range(len(columns))
    others = [place for place in places if columns[place] != REASON]
    kept = width if len(others) == len(columns) else width - 3 - FOLDED
    fitting = columns_that_fit(*_part(columns, rows, others), kept)
    return sorted({*others[:fitting], *places} - set(others[fitting:]))


def _part(
    columns: Sequence[str], rows: Sequence[Sequence[str]], places: Sequence[int]
) -> tuple[list[str], list[list[str]]]:
    """Return columns of a table by their places."""
    return [columns[place] for place in places], [[row[place] for place in places] for row in rows]


def _left_for_reasons(
    columns: Sequence[str], rows: Sequence[Sequence[str]], fitting: Sequence[int], width: int
) -> int:
    """Return the characters that are left for reasons where no other column is folded."""
    others = [place for place in fitting if columns[place] != REASON]
    *_, used = _ends(*_part(columns, rows, others), folded=width)
    return max(FOLDED, width - used - 3)


def _ends(columns: Sequence[str], rows: Sequence[Sequence[str]], folded: int = FOLDED) -> Iterator[int]:
    """Yield where each column ends, characters from the left, with words folded to so many characters."""
    used = 1
    for index, column in enumerate(columns):
        widest = max(map(len, [column, *(row[index] for row in rows)]))
        # A column has two spaces around it and one between it and the next.
        used += 3 + (widest if _is_numeric(rows, index) else min(widest, max(folded, len(column))))
        yield used


def _has_room(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    bars: tuple[str, Sequence[str]],
    console: "Console",
) -> bool:
    """Return whether a terminal has room for bars beside all columns, and the characters for them."""
    head, cells = bars
    *_, end = _ends(columns, rows)
    is_wide = end + 3 + max(map(len, [head, *cells])) <= console.width
    return is_wide and console.encoding.lower().startswith("utf")


def _is_numeric(rows: Sequence[Sequence[str]], index: int) -> bool:
    return all(_is_number(row[index]) for row in rows)


def _is_number(text: str) -> bool:
    try:
        float(text.rstrip("%") or 0)
    except ValueError:
        return False
    return True


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
    return f"{value:.4g}" if isinstance(value, float) else cell(value)


def _print_json(value: object, indent: int | None) -> None:
    text = json_text(value, indent=indent)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(json.loads(text), indent=indent)
    print_text(text)


def print_text(text: str) -> None:
    """Print a text and a line break on standard output; an `OutputError` if that cannot be written."""
    with standard_output() as file:
        file.write(text + "\n")
