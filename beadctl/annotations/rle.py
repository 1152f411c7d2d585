"""Run lengths of a mask as COCO writes them: numbers, or the compressed string of the COCO API."""

import numpy as np
from numpy.typing import NDArray

# A character of a compressed run, counted from "0", has five bits and a flag that another one follows.
FIRST_CHARACTER, BITS, MORE, SIGN = 48, 5, 0x20, 0x10


def pixels(counts: object, size: object, shape: tuple[int, int]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows and columns of a mask's pixels.

    The runs go down the columns, background first (the COCO API, ``maskApi.c``).

    Parameters
    ----------
    counts, size : object
        Parsed JSON: a list of run lengths or a compressed string; a list of height and width, px, that
        must equal `shape`.

    Raises
    ------
    ValueError
        If the runs are of another image or damaged; its text has no file name.
    """
    height, width = shape
    if not (isinstance(size, list) and size == [height, width]):
        raise ValueError(f"is of {size} px (height, width), its image of {[height, width]}")
    lengths = _decompressed(counts) if isinstance(counts, str) else _checked(counts)
    if any(length < 0 for length in lengths) or sum(lengths) != height * width:
        raise ValueError(f"has run lengths of {sum(lengths)} px for an image of {height * width} px")
    runs = np.array(lengths, np.int64)
    ends = np.cumsum(runs)
    length, start = runs[1::2], (ends - runs)[1::2]
    before = np.cumsum(length) - length
    place = np.arange(int(length.sum())) + np.repeat(start - before, length)
    return place % height, place // height


def compressed(mask: NDArray[np.bool_], top: int, left: int, shape: tuple[int, int]) -> str:
    """Return the compressed string of a mask that is a part of an image.

    Parameters
    ----------
    mask : ndarray of bool, shape (h, w)
        The pixels of the part.
    top, left : int
        Its first row and column in the image, px.
    shape : tuple of int
        Height and width of the image, px.

    Examples
    --------
    >>> compressed(np.ones((2, 1), bool), 1, 0, (4, 3))
    '129'
    """
    height, width = shape
    column, row = np.nonzero(mask.T)
    place = (column + left) * height + row + top
    breaks = np.flatnonzero(np.diff(place) != 1)
    first = place[np.concatenate(([0], breaks + 1))]
    last = place[np.concatenate((breaks, [len(place) - 1]))]
    edges = np.column_stack((first, last + 1)).ravel()
    runs = np.diff(edges, prepend=0, append=height * width).tolist()
    return _as_string(runs if runs[-1] else runs[:-1])


def _as_string(runs: list[int]) -> str:
    """Do what the COCO API's ``rleToString`` does."""
    text = []
    for place, run in enumerate(runs):
        value = run - (runs[place - 2] if place > 2 else 0)
        more = True
        while more:
            code = value & (MORE - 1)
            value >>= BITS
            more = value != (-1 if code & SIGN else 0)
            text.append(chr(FIRST_CHARACTER + (code | MORE * more)))
    return "".join(text)


def _checked(counts: object) -> list[int]:
    if not isinstance(counts, list) or not all(type(run) is int for run in counts):
        raise ValueError("has run lengths that are neither whole numbers nor a string")
    return counts


def _decompressed(text: str) -> list[int]:
    """Undo the COCO API's ``rleToString``: from the fourth run on, differences to the last but one."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        code = ord(character) - FIRST_CHARACTER
        if not 0 <= code < 2 * MORE or shift > 60:
            raise ValueError("has a broken string of run lengths")
        value |= (code & (MORE - 1)) << shift
        shift += BITS
        if code & MORE:
            continue
        if code & SIGN:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("has a string of run lengths that is cut off")
    return runs
