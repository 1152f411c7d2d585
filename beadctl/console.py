"""Words for people, on standard error: messages, tables and progress.

Results go to standard output or to files; a progress bar shows on a terminal only. ``NO_COLOR``
is honoured by rich.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


@dataclass(frozen=True)
class Voice:
    """How much to say: -1 quiet (errors only), 0 normal, 1 verbose."""

    verbosity: int = 0

    def say(self, message: str) -> None:
        """Say something that a person may want to know."""
        if self.verbosity >= 0:
            stderr().print(message, markup=False, highlight=False, soft_wrap=True)

    def detail(self, message: str) -> None:
        """Say something that only ``-v`` asks for."""
        if self.verbosity > 0:
            stderr().print(message, style="dim", markup=False, highlight=False, soft_wrap=True)

    def warn(self, message: str) -> None:
        """Say what is likely wrong, though the work goes on; shown under ``-q`` too."""
        stderr().print(f"warning: {message}", style="yellow", markup=False, highlight=False, soft_wrap=True)

    def remarks(self, lines: Iterable[tuple[bool, str]]) -> None:
        """Say lines, each with whether it is a warning."""
        for doubtful, line in lines:
            (self.warn if doubtful else self.say)(line)

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Say a table."""
        if self.verbosity >= 0:
            print_table(title, columns, rows)

    def progress(self, total: int | None, what: str) -> "Progress":
        """Return a progress bar over `total` steps that shows on a terminal only; use it with ``with``."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = stderr()
        progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=self.verbosity < 0 or not console.is_terminal,
        )
        progress.add_task(what, total=total)
        return progress


def voice(quiet: bool, verbose: bool) -> Voice:
    """Return the voice that ``-q`` and ``-v`` ask for."""
    return Voice(-1 if quiet else int(verbose))


def stderr() -> "Console":
    """Return a console on standard error as it is now (tests and pipes replace it)."""
    from rich.console import Console

    return Console(file=sys.stderr)


def fail(message: str) -> None:
    """Say one red line: what is wrong, where, and what to do."""
    stderr().print(f"error: {message}", style="bold red", markup=False, highlight=False, soft_wrap=True)


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
