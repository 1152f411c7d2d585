"""Pictures on a terminal, as Kitty or Sixel have them or as half blocks."""

import base64
import io
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, TextIO

import numpy as np
from numpy.typing import NDArray

from beadctl.console.screen import Means, Screen, is_terminal
from beadctl.console.stdout import standard_output

if TYPE_CHECKING:
    from rich.console import Console
    from rich.segment import Segment

RGB = NDArray[np.uint8]
"""Pixels, shape (h, w, 3)."""

HALF_BLOCK = "▀"
# Bytes of Base64 that a message of Kitty's protocol holds at most.
MOST_BYTES = 4096


def print_picture(picture: RGB, screen: Screen) -> None:
    """Print a picture on standard output: that of half blocks with the colours that the terminal has.

    Parameters
    ----------
    picture : ndarray of uint8, shape (h, w, 3)
        No larger than `Screen.most_px`.
    screen : Screen
        Where it is printed.
    """
    with standard_output() as file:
        match screen.means:
            case Means.KITTY:
                file.write(kitty(picture) + "\n")
            case Means.SIXEL:
                file.write(sixel(picture) + "\n")
            case Means.BLOCKS:
                print_blocks(picture, file)


def print_legend(legend: Sequence[tuple[Sequence[tuple[int, int, int]], str]], *, in_colour: bool) -> None:
    """Print colours, as squares unless the terminal has none, and what they mean, in a line."""
    from rich.text import Text

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
    if is_terminal() and os.environ.get("TERM") == "dumb":
        return "the terminal has no colours"
    try:
        HALF_BLOCK.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return f"the encoding {sys.stdout.encoding} has no half blocks"
    return ""


def print_blocks(picture: RGB, file: TextIO) -> None:
    """Print a picture, uint8 (h, w, 3), into a file as half blocks, two pixels a character."""
    from rich.segment import Segments

    _console(file, picture.shape[1] + 1).print(Segments(list(_segments(picture))), end="")


def _console(file: TextIO, width: int | None = None) -> "Console":
    """Return a console with the colours that the terminal has; all of them where there is none."""
    from rich.console import Console

    colours: Literal["auto", "truecolor"] = "auto" if is_terminal() else "truecolor"
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
