"""Pictures on a terminal: as Kitty or Sixel have them where it says that it can, else half blocks."""

import base64
import contextlib
import io
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, TextIO

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from rich.console import Console
    from rich.segment import Segment

RGB = NDArray[np.uint8]
"""Pixels, shape (h, w, 3)."""

HALF_BLOCK = "▀"
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
# Bytes of Base64 that a message of Kitty's protocol holds at most.
MOST_BYTES = 4096


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
        if not _is_terminal():
            return cls(Means.BLOCKS, *size, is_terminal=False)
        if os.environ.get("TERM", "") in NEVER_ASKED:
            return cls(Means.BLOCKS, *size)
        with _terminal() as number:
            if number is None:
                return cls(Means.BLOCKS, *size)
            return cls(means_of(asked(number, PATIENCE_S)), *size, _cell_px(number))

    @property
    def most_px(self) -> tuple[int, int]:
        """Width and height of the largest picture, px."""
        rows = max(4, self.rows - LINES_BELOW)
        if self.means is Means.BLOCKS:
            return self.columns, 2 * rows
        width, height = self.cell_px
        return self.columns * width, rows * height


def _is_terminal() -> bool:
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
            if not ready:
                break
            answer += os.read(number, 1024)
    except OSError:
        return answer
    finally:
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


def _cell_px(number: int) -> tuple[int, int]:
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


def print_picture(picture: RGB, screen: Screen) -> None:
    """Print a picture on standard output: that of half blocks with the colours that the terminal has.

    Parameters
    ----------
    picture : ndarray of uint8, shape (h, w, 3)
        No larger than `Screen.most_px`.
    screen : Screen
        Where it is printed.
    """
    from beadctl.console.table import standard_output

    with standard_output() as file:
        match screen.means:
            case Means.KITTY:
                file.write(kitty(picture) + "\n")
            case Means.SIXEL:
                file.write(sixel(picture) + "\n")
            case Means.BLOCKS:
                _print_blocks(picture, file)


def print_legend(legend: Sequence[tuple[Sequence[tuple[int, int, int]], str]], *, in_colour: bool) -> None:
    """Print colours, as squares unless the terminal has none, and what they mean, in a line."""
    from rich.text import Text

    from beadctl.console.table import standard_output

    line = Text("  ")
    for colours, text in legend:
        for colour in colours if in_colour else ():
            line.append("■", f"rgb({','.join(map(str, colour))})")
        line.append(f" {text}  ")
    with standard_output() as file:
        if in_colour:
            _console(file).print(line, soft_wrap=True)
        else:
            file.write(f"{line.plain.rstrip()}\n")


def why_not(screen: Screen) -> str:
    """Return why no picture can be printed; empty where it can."""
    if screen.means is not Means.BLOCKS:
        return ""
    if os.environ.get("NO_COLOR"):
        return "NO_COLOR is set"
    if _is_terminal() and os.environ.get("TERM") == "dumb":
        return "the terminal has no colours"
    try:
        HALF_BLOCK.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return f"the encoding {sys.stdout.encoding} has no half blocks"
    return ""


def _print_blocks(picture: RGB, file: TextIO) -> None:
    from rich.segment import Segments

    _console(file, picture.shape[1] + 1).print(Segments(list(_segments(picture))), end="")


def _console(file: TextIO, width: int | None = None) -> "Console":
    """Return a console with the colours that the terminal has; all of them where there is none."""
    from rich.console import Console

    colours: Literal["auto", "truecolor"] = "auto" if _is_terminal() else "truecolor"
    return Console(file=file, force_terminal=True, color_system=colours, width=width)


def _segments(picture: RGB) -> "Iterator[Segment]":
    """Yield two rows of pixels as a line of upper half blocks: the lower ones are their background."""
    from rich.color import Color
    from rich.segment import Segment
    from rich.style import Style

    colours = {}

    def colour(pixel: list[int]) -> Color:
        key = tuple(pixel)
        if key not in colours:
            colours[key] = Color.from_rgb(*pixel)
        return colours[key]

    for top in range(0, len(picture), 2):
        upper = picture[top].tolist()
        lower = picture[top + 1].tolist() if top + 1 < len(picture) else [None] * len(upper)
        for first, second in zip(upper, lower, strict=True):
            below = colour(second) if second else None
            yield Segment(HALF_BLOCK, Style(color=colour(first), bgcolor=below))
        yield Segment.line()


def kitty(picture: RGB) -> str:
    """Return a picture in the graphics protocol of Kitty, as PNG in messages of 4096 bytes."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, format="PNG")
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    parts = [data[place : place + MOST_BYTES] for place in range(0, len(data), MOST_BYTES)]
    messages = []
    for number, part in enumerate(parts, start=1):
        head = "a=T,f=100," if number == 1 else ""
        messages.append(f"\x1b_G{head}m={int(number < len(parts))};{part}\x1b\\")
    return "".join(messages)


def sixel(picture: RGB) -> str:
    """Return a picture as Sixel (DEC STD 070), with at most 256 colours.

    Six rows of pixels are a band; each colour in it is a line of characters of six bits, one a column.
    """
    from PIL import Image

    indexed = Image.fromarray(picture).quantize(256)
    palette = np.array(indexed.getpalette(), int).reshape(-1, 3)
    pixels = np.asarray(indexed)
    height, width = pixels.shape
    # Colours are in per cent.
    colours = [f"#{row};2;{r};{g};{b}" for row, (r, g, b) in enumerate((palette * 100 + 127) // 255)]
    bands = [_band(pixels[top : top + 6]) for top in range(0, height, 6)]
    return f'\x1bPq"1;1;{width};{height}{"".join(colours)}{"-".join(bands)}\x1b\\'


def _band(rows: NDArray[np.uint8]) -> str:
    """Return up to six rows of pixels: a line for each colour, the next from the left again."""
    lines = []
    for colour in np.unique(rows):
        bits = ((rows == colour) << np.arange(len(rows))[:, None]).sum(axis=0)
        ends = [*np.flatnonzero(np.diff(bits)) + 1, bits.size]
        line = "".join(
            f"!{end - start}{chr(63 + bits[start])}" for start, end in zip([0, *ends[:-1]], ends, strict=True)
        )
        lines.append(f"#{colour}{line}")
    return "$".join(lines)
