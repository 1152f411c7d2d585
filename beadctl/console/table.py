"""Tables for people, as wide as the terminal."""

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from beadctl.console.messages import stderr
from beadctl.console.stdout import standard_output

if TYPE_CHECKING:
    from rich.console import Console

# Characters to which a column of words may be folded.
FOLDED = 14
# Spaces of a column: two around it, and one between it and the next.
AROUND = 3
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
        head, ends = bars if bars and _has_room(columns, cells, bars, console) else ("", ())
        room = console.width - (_width(head, ends) if ends else 0)
        for index in fitting:
            numeric, column = _is_numeric(rows, index), columns[index]
            justify: Literal["right", "left"] = "right" if numeric else "left"
            last = Text(total[index] if total else "", style="bold")
            if column == REASON:
                longest = _left_for_reasons(columns, cells, fitting, room)
                table.add_column(column, last, overflow="ellipsis", no_wrap=True, max_width=longest)
            else:
                table.add_column(column, last, justify=justify, overflow="fold", no_wrap=numeric)
        if ends:
            table.add_column(head, no_wrap=True)
        for row, *end in itertools.zip_longest(rows, ends) if ends else zip(rows, strict=True):
            table.add_row(*map(Text, [*(row[index] for index in fitting), *end]))
        if missing := [column for index, column in enumerate(columns) if index not in fitting]:
            table.caption = f"too narrow for: {', '.join(missing)}"
        console.print(table)


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
    kept = width if len(others) == len(columns) else width - AROUND - FOLDED
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
    return max(FOLDED, width - used - AROUND)


def _ends(columns: Sequence[str], rows: Sequence[Sequence[str]], folded: int = FOLDED) -> Iterator[int]:
    """Yield where each column ends, characters from the left, with words folded to so many characters."""
    used = 1
    for index, column in enumerate(columns):
        widest = _width(column, [row[index] for row in rows])
        used += widest if _is_numeric(rows, index) else min(widest, AROUND + max(folded, len(column)))
        yield used


def _width(head: str, cells: Sequence[str]) -> int:
    """Return the characters that a column takes."""
    return AROUND + max(map(len, [head, *cells]))


def _has_room(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    bars: tuple[str, Sequence[str]],
    console: "Console",
) -> bool:
    """Return whether a terminal has room for bars beside all columns, and the characters for them."""
    *_, end = _ends(columns, rows)
    is_wide = end + _width(*bars) <= console.width
    return console.is_terminal and is_wide and console.encoding.lower().startswith("utf")


def _is_numeric(rows: Sequence[Sequence[str]], index: int) -> bool:
    return all(_is_number(row[index]) for row in rows)


def _is_number(text: str) -> bool:
    try:
        float(text.rstrip("%") or 0)
    except ValueError:
        return False
    return True
