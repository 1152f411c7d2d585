"""Messages, tables and progress bars on standard error; rich honours ``NO_COLOR``."""

import io
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from beadctl.console.event_log import event
from beadctl.errors import Interrupted
from beadctl.printable import printable

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Messages:
    """Messages on standard error.

    Attributes
    ----------
    verbosity : int
        -1 quiet (warnings and errors only), 0 normal, 1 verbose.
    hear : callable or None
        Takes the text of warnings and errors; None prints them.
    """

    verbosity: int = 0
    hear: Callable[[str], None] | None = None

    @classmethod
    def of(cls, *, quiet: bool, verbose: bool) -> "Messages":
        """Return the messages that ``-q`` and ``-v`` ask for."""
        return cls(-1 if quiet else int(verbose))

    def info(self, message: str) -> None:
        """Print a message unless ``-q`` was given."""
        if self.verbosity >= 0:
            _print(message)

    def detail(self, message: str) -> None:
        """Print a message only with ``-v``."""
        if self.verbosity > 0:
            _print(message, "dim")

    def warn(self, message: str) -> None:
        """Print a warning, under ``-q`` too."""
        event("warning", text=_line(message))
        if self.hear:
            self.hear(_line(message))
        else:
            _print(f"warning: {message}", "yellow")

    def fail(self, message: str) -> None:
        """Print an error that does not end the work: what is wrong, where, and what to do."""
        (self.hear or fail)(_line(message))

    def notes(self, lines: Iterable[tuple[bool, str]]) -> None:
        """Print each (is_warning, text) pair as a warning or a message."""
        for is_warning, line in lines:
            (self.warn if is_warning else self.info)(line)

    def table(
        self,
        title: str,
        columns: Sequence[str],
        rows: Iterable[Sequence[str]],
        *,
        total: Sequence[str] | None = None,
        bars: tuple[str, Sequence[str]] | None = None,
    ) -> None:
        """Print a table on standard error unless ``-q`` was given; see `beadctl.console.print_table`."""
        if self.verbosity >= 0:
            from beadctl.console.table import print_table

            print_table(title, columns, rows, total=total, bars=bars)

    @contextmanager
    def progress(
        self, total: int, what: str, say: Callable[[Callable[[], None]], None] = lambda line: line()
    ) -> Iterator[Callable[..., None]]:
        """Show a progress bar on a terminal, and lines in a log, while the block lasts.

        Parameters
        ----------
        total, what : int and str
            Number of steps, and the text before the bar.
        say : callable
            Takes what prints a line in a log; by default calls it at once.

        Yields
        ------
        callable
            Takes one step; its argument, if any, is ignored, so that it serves as a callback. With
            ``failed=True`` the step is counted as failed, with ``earlier=True`` as done by an earlier run.
        """
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        log = _ProgressLog(self, total, what, say)
        console = stderr()
        try:
            if self.verbosity < 0 or not console.is_terminal:
                log.start()
                yield log.advance
                log.end()
                return
            with Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=console,
                transient=True,
            ) as bar:
                task = bar.add_task(what, total=total)

                def advance(*_: object, failed: bool = False, earlier: bool = False) -> None:
                    log.count(failed=failed, earlier=earlier)
                    bar.advance(task)

                yield advance
        except Interrupted as stop:
            stop.done = log.state()
            raise


# Texts that messages do not hold, and what they hold instead.
_names: dict[str, str] = {}
# Of a process beside one that tells the same.
SILENT = Messages(-1, lambda _: None)


class _ProgressLog:
    """Progress as lines in a log: at the start, every half minute, and at the end."""

    SECONDS = 30.0

    def __init__(
        self, messages: Messages, total: int, what: str, say: Callable[[Callable[[], None]], None]
    ) -> None:
        self._messages, self._total, self._what, self._say = messages, total, what, say
        self._done = self._failed = self._earlier = 0
        self._start = self._told = time.monotonic()

    def start(self) -> None:
        """Print the first line."""
        # How many of them an earlier run has done is known at the end.
        self._line(f"{self._what}: {self._total} in all")

    def count(self, *, failed: bool, earlier: bool) -> None:
        """Count a step."""
        self._done += 1
        self._failed, self._earlier = self._failed + failed, self._earlier + earlier

    def advance(self, *_: object, failed: bool = False, earlier: bool = False) -> None:
        """Count a step, and print a line if the last one is half a minute old."""
        self.count(failed=failed, earlier=earlier)
        now = time.monotonic()
        if now - self._told >= self.SECONDS and self._done < self._total:
            self._told = now
            rate = self._done / (now - self._start)
            left = duration((self._total - self._done) / rate)
            self._line(f"{self.state()}, {rate:.3g} a second, {left} left")

    def end(self) -> None:
        """Print the last line."""
        self._line(f"{self.state()} in {duration(time.monotonic() - self._start)}")

    def _line(self, text: str) -> None:
        self._say(lambda: self._messages.info(text))

    def state(self) -> str:
        """Return how many steps are done."""
        earlier = f" ({self._earlier} by an earlier run)" if self._earlier else ""
        failed = f", {self._failed} failed" if self._failed else ""
        return f"{self._what}: {self._done} of {self._total} done{earlier}{failed}"


def stderr() -> "Console":
    """Return a console on the current `sys.stderr`, which tests and redirections replace.

    Where standard error is closed, words go nowhere: standard output holds data alone.
    """
    from rich.console import Console

    return Console(file=sys.stderr or io.StringIO())


def fail(message: str) -> None:
    """Print an error as one red line: what is wrong, where, and what to do."""
    _print(f"error: {message}", "bold red")


def _print(message: str, style: str | None = None) -> None:
    """Print one line; a name in it may hold line breaks, or bytes that are no text."""
    stderr().print(_line(message), style=style, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def named_as(text: str, name: str) -> Iterator[None]:
    """Have messages say `name` where they hold `text`, such as the path of a temporary folder."""
    _names[text] = name
    try:
        yield
    finally:
        del _names[text]


def _line(message: str) -> str:
    """Return a message as one line of text."""
    for text, name in _names.items():
        message = message.replace(text, name)
    return printable(message)


def duration(seconds: float) -> str:
    """Return a time as ``h:mm:ss``, rounded down to the second."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
