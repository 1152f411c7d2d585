"""Messages, tables and progress bars on standard error.

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
class Messages:
    """Messages on standard error, filtered by verbosity.

    Attributes
    ----------
    verbosity : int
        -1 quiet (warnings and errors only), 0 normal, 1 verbose.
    """

    verbosity: int = 0

    @classmethod
    def of(cls, quiet: bool, verbose: bool) -> "Messages":
        """Return the messages that ``-q`` and ``-v`` ask for."""
        return cls(-1 if quiet else int(verbose))

    def info(self, message: str) -> None:
        """Print a message unless ``-q`` was given."""
        if self.verbosity >= 0:
            stderr().print(message, markup=False, highlight=False, soft_wrap=True)

    def detail(self, message: str) -> None:
        """Print a message only with ``-v``."""
        if self.verbosity > 0:
            stderr().print(message, style="dim", markup=False, highlight=False, soft_wrap=True)

    def warn(self, message: str) -> None:
        """Print a warning, under ``-q`` too."""
        stderr().print(f"warning: {message}", style="yellow", markup=False, highlight=False, soft_wrap=True)

    def notes(self, lines: Iterable[tuple[bool, str]]) -> None:
        """Print (is_warning, text) lines as warnings or messages."""
        for doubtful, line in lines:
            (self.warn if doubtful else self.info)(line)

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a table on standard error unless ``-q`` was given."""
        if self.verbosity >= 0:
            from beadctl.console.table import print_table

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


def stderr() -> "Console":
    """Return a console on standard error as it is now (tests and pipes replace it)."""
    from rich.console import Console

    return Console(file=sys.stderr)


def fail(message: str) -> None:
    """Print one red line: what is wrong, where, and what to do."""
    stderr().print(f"error: {message}", style="bold red", markup=False, highlight=False, soft_wrap=True)
