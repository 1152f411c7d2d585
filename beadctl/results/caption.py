"""What is written on and below a picture of beads: their numbers, a legend and a scale bar.

Pictures are rows of a palette that begins with grey levels, uint8 (h, w), so text is drawn in these.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont

Picture = NDArray[np.uint8]

# Text is a sixtieth of the picture's width high, within these limits, px.
SIZES_PX = (12, 40)
# Of a disc's diameter, from its middle to where its outline slants.
CORNER = 0.35
# Share of the picture's width that a scale bar has at most.
BAR = 0.25
MM, NM = (1e3, "mm"), (1e-3, "nm")


@dataclass(frozen=True)
class Entry:
    """An entry of a legend.

    Attributes
    ----------
    colours : tuple of int
        Rows of the palette of which it tells.
    text : str
        What they mean.
    """

    colours: tuple[int, ...]
    text: str


def captioned(picture: Picture, legend: Sequence[Entry], px_um: float | None, white: int) -> Picture:
    """Return a picture with a legend and a scale bar below it, on black.

    What does not fit into a line goes into the next; what is wider than the picture is left out.

    Parameters
    ----------
    picture : ndarray of uint8, shape (h, w)
        The picture, which stays as it is.
    legend, px_um : sequence of Entry, and float or None
        Entries of the legend, and edge of a pixel of the picture, um; without it there is no scale bar.
    white : int
        Row of the palette that is white; rows from 0 to it are grey levels.
    """
    width = picture.shape[1]
    size = int(np.clip(width // 60, *SIZES_PX))
    items = [_entry(one, size, white) for one in legend]
    items += [_bar(width, size, px_um, white)] if px_um else []
    gap = size // 2
    lines, line, used = list[Picture](), np.zeros((2 * size, width), np.uint8), 0
    for item in items:
        if gap + item.shape[1] > width:
            continue
        if used + gap + item.shape[1] > width:
            lines, line, used = [*lines, line], np.zeros_like(line), 0
        line[: item.shape[0], used + gap : used + gap + item.shape[1]] = item
        used += gap + item.shape[1] + gap
    return np.concatenate([picture, *lines, *([line] if used else [])])


def number(picture: Picture, beads: Iterable[tuple[int, float, float, float]], size: int, white: int) -> None:
    """Write the numbers of beads into a picture: on each bead, or beside it where it is smaller than that.

    Parameters
    ----------
    picture : ndarray of uint8, shape (h, w)
        Is changed.
    beads : iterable of (int, float, float, float)
        Number, row and column of the centre, and diameter, px of the picture.
    size, white : int
        Height of the text, px, and as in `captioned`.
    """
    for label, y, x, diameter in beads:
        text, around = _text(str(label), size, outline=1)
        high, wide = around.shape
        if math.hypot(high, wide) > diameter:
            # The corner of the text is where the outline slants.
            top, left = round(y - CORNER * diameter - high), round(x + CORNER * diameter)
        else:
            top, left = round(y - high / 2), round(x - wide / 2)
        top = min(max(0, top), picture.shape[0] - high)
        left = min(max(0, left), picture.shape[1] - wide)
        if top < 0 or left < 0:
            continue
        part = picture[top : top + high, left : left + wide]
        inked = around > 127
        part[inked] = _grey(text, white)[inked]


def bar_um(width: int, px_um: float) -> float:
    """Return the length of a scale bar: 1, 2 or 5 times a power of ten, at most a quarter of the width.

    Examples
    --------
    >>> bar_um(1000, 0.65)
    100.0
    """
    most = BAR * width * px_um
    power = 10.0 ** math.floor(math.log10(most))
    # Rounding may make the power larger than the length of which it is the logarithm.
    return max((step * power for step in (1, 2, 5) if step * power <= most), default=power)


def _bar(width: int, size: int, px_um: float, white: int) -> Picture:
    """Return a scale bar with its length."""
    length = bar_um(width, px_um)
    factor, unit = MM if length >= MM[0] else NM if length < 1 else (1.0, "um")
    text = _line(f"{length / factor:g} {unit}", size, white)
    bar = np.zeros((2 * size, round(length / px_um)), np.uint8)
    bar[size - size // 6 : size + size // 6] = white
    return np.hstack((bar, np.zeros((2 * size, size // 2), np.uint8), text))


def _entry(entry: Entry, size: int, white: int) -> Picture:
    """Return an entry of the legend: a square of each colour, and the text."""
    squares = np.zeros((2 * size, len(entry.colours) * size + size // 2), np.uint8)
    for place, colour in enumerate(entry.colours):
        squares[size // 2 : size // 2 + size, place * size : (place + 1) * size] = colour
    return np.hstack((squares, _line(entry.text, size, white)))


def _line(text: str, size: int, white: int) -> Picture:
    """Return a text in the middle of a line."""
    shown = _grey(_text(text, size)[0], white)
    line = np.zeros((2 * size, shown.shape[1]), np.uint8)
    top = max(0, size - shown.shape[0] // 2)
    line[top : top + shown.shape[0]] = shown[: 2 * size - top]
    return line


def _text(text: str, size: int, outline: int = 0) -> tuple[Picture, Picture]:
    """Return a text as grey levels 0..255, and it with an outline of some px, in a box around both."""
    from PIL import Image, ImageDraw

    font = _font(size)
    left, top, right, bottom = font.getbbox(text, stroke_width=outline)
    drawn = []
    for width in (0, outline):
        image = Image.new("L", (math.ceil(right - left), math.ceil(bottom - top)))
        ImageDraw.Draw(image).text((-left, -top), text, fill=255, font=font, stroke_width=width)
        drawn.append(np.asarray(image))
    return drawn[0], drawn[1]


@lru_cache
def _font(size: int) -> "FreeTypeFont | ImageFont":
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _grey(levels: Picture, white: int) -> Picture:
    """Return grey levels 0..255 as rows of the palette."""
    return (levels.astype(np.uint16) * white // 255).astype(np.uint8)
