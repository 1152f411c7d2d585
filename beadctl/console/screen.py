"""The terminal on standard output: its size, and by which means pictures get onto it."""

import contextlib
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

# Asks for one pixel of Kitty's protocol, and for the attributes of the terminal, which each terminal answers.
QUESTION = b"\x1b_Gi=1,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[c"
KITTY_ANSWER, ATTRIBUTES = b"\x1b_Gi=1;OK", re.compile(rb"\x1b\[\?([\d;]*)c")
SIXEL_ATTRIBUTE = b"4"
# Terminals that print such a question, or answer none.
NEVER_ASKED = {"", "dumb", "linux"}
# An answer may come over a slow line.
PATIENCE_S = 1.0
# Of a character, px (width, height), where the terminal does not tell.
CELL_PX = (8, 16)
# Lines below a picture.
LINES_BELOW = 4


class Means(StrEnum):
    """How a picture gets onto a terminal."""

    KITTY = "kitty"
    SIXEL = "sixel"
    BLOCKS = "blocks"


@dataclass(frozen=True)
class Screen:
    """Where pictures are printed.

    Attributes
    ----------
    means : Means
        How they get there.
    columns, rows : int
        Characters of a line, and lines.
    cell_px : tuple of int
        Width and height of a character, px.
    is_terminal : bool
        Whether standard output is a terminal.
    """

    means: Means
    columns: int
    rows: int
    cell_px: tuple[int, int] = CELL_PX
    is_terminal: bool = True

    @classmethod
    def here(cls) -> "Screen":
        """Return the terminal on standard output; without one, half blocks in a width of 80."""
        size = shutil.get_terminal_size()
        if not is_terminal():
            return cls(Means.BLOCKS, *size, is_terminal=False)
        if os.environ.get("TERM", "") in NEVER_ASKED:
            return cls(Means.BLOCKS, *size)
        with _terminal() as number:
            if number is None:
                return cls(Means.BLOCKS, *size)
            return cls(means_of(asked(number, PATIENCE_S)), *size, cell_px(number))

    @property
    def most_px(self) -> tuple[int, int]:
        """Width and height of the largest picture, px."""
        rows = max(4, self.rows - LINES_BELOW)
        if self.means is Means.BLOCKS:
            return self.columns, 2 * rows
        width, height = self.cell_px
        return self.columns * width, rows * height


def is_terminal() -> bool:
    """Return whether standard output is a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()


@contextlib.contextmanager
def _terminal() -> Iterator[int | None]:
    """Yield the terminal of this process; None without one, and where another job has it."""
    number = None
    try:
        with contextlib.suppress(OSError, AttributeError):
            number = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
            if os.tcgetpgrp(number) != os.getpgrp():
                os.close(number)
                number = None
        yield number
    finally:
        if number is not None:
            os.close(number)


def asked(number: int, patience_s: float) -> bytes:
    """Ask a terminal, by its file number, for what it can do, and return its answer.

    What is typed meanwhile is lost.
    """
    import select
    import termios
    import tty

    before = termios.tcgetattr(number)
    answer, end = b"", time.monotonic() + patience_s
    try:
        tty.setcbreak(number, termios.TCSANOW)
        os.write(number, QUESTION)
        while not ATTRIBUTES.search(answer):
            ready, _, _ = select.select([number], [], [], max(0.0, end - time.monotonic()))
            # A terminal that is closed meanwhile is ready with nothing.
            if not ready or not (more := os.read(number, 1024)):
                break
            answer += more
    except OSError:
        return answer
    finally:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(number, termios.TCSAFLUSH, before)
    return answer


def means_of(answer: bytes) -> Means:
    """Return the best means that an answer of a terminal names.

    Examples
    --------
    >>> means_of(bytes([27]) + b"[?62;4;22c")
    <Means.SIXEL: 'sixel'>
    """
    if KITTY_ANSWER in answer:
        return Means.KITTY
    found = ATTRIBUTES.search(answer)
    return Means.SIXEL if found and SIXEL_ATTRIBUTE in found[1].split(b";")[1:] else Means.BLOCKS


def cell_px(number: int) -> tuple[int, int]:
    """Return width and height of a character of a terminal, px."""
    import fcntl
    import struct
    import termios

    try:
        told = fcntl.ioctl(number, termios.TIOCGWINSZ, bytes(8))
    except OSError:
        return CELL_PX
    rows, columns, width, height = struct.unpack("HHHH", told)
    return (width // columns, height // rows) if rows and columns and width and height else CELL_PX
