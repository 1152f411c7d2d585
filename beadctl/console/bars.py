"""Figures as small bars in a table for people."""

from collections.abc import Sequence

LEVELS = " ▁▂▃▄▅▆▇█"


def levels(values: Sequence[float]) -> str:
    """Return values from 0 on as bars beside one another, the largest as high as a line; 0 is a gap.

    Examples
    --------
    >>> levels([0, 1, 8, 4])
    ' ▁█▄'
    """
    most = max(values, default=0.0)
    steps = len(LEVELS) - 1
    return "".join(LEVELS[max(1, round(value / most * steps)) if value > 0 else 0] for value in values)


def span(low: float, middle: float, high: float, most: float, width: int) -> str:
    """Return a line from a low to a high value with a mark in between, on a scale from 0.

    Examples
    --------
    >>> span(4, 6, 9, 10, 10)
    '    ──┿───'
    """
    places = [min(width - 1, int(value / most * width)) if most > 0 else 0 for value in (low, middle, high)]
    first, mark, last = places
    return " " * first + "─" * (mark - first) + "┿" + "─" * (last - mark)
