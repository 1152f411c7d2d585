"""Palettes: a lookup table of the display over grey levels, or the colours of a picture."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_ENTRIES = 256
"""Fewest entries of a lookup table; shorter palettes hold the colours that a picture uses."""

_MARKS = 4
"""Entries at either end that a display may reserve, as for under- and overexposed pixels."""

_LARGEST_STEP = 0.1
"""Largest step between neighbours of a lookup table, relative to its range. Tables of ImageJ and matplotlib
reach 0.07; palettes of quantised pictures begin at 0.15, as their order is that of boxes in colour space."""


def is_display(colours: NDArray[Any]) -> bool:
    """Whether a palette is a lookup table of the display, so that the index is the grey level.

    Neighbouring entries of a lookup table have similar colours; those of the palette of a true colour picture
    have not, and its indices mean nothing.

    Parameters
    ----------
    colours : ndarray of uint8 or uint16, shape (entries, 3)
        Red, green and blue of each index.
    """
    if len(colours) < _ENTRIES:
        return False
    inner = colours[_MARKS:-_MARKS].astype(np.int64)
    largest_range = np.ptp(inner, axis=0).max()
    return bool(np.abs(np.diff(inner, axis=0)).max() <= _LARGEST_STEP * largest_range)
