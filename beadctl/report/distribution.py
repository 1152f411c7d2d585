"""Histograms of values that come one at a time: a million beads in the memory of a few thousand numbers."""

import math
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

# Values are kept with so many significant digits.
DIGITS = 4
MOST_BARS = 40
# Values beyond these shares of the values are not drawn: one wrong object would squeeze all beads into a bar.
ENDS = 0.001, 0.999


@dataclass(frozen=True)
class Bar:
    """Values from `low` to below `high`, and how many there are."""

    low: float
    high: float
    count: int


@dataclass
class Distribution:
    """How often values occur.

    Attributes
    ----------
    title, axis, what, note : str
        Heading, name and unit of the values, what is counted, and a remark.
    """

    title: str
    axis: str
    what: str
    note: str = ""
    _values: Counter[float] = field(default_factory=Counter)

    def add(self, value: float | None) -> None:
        """Count a value; an unknown one is left out."""
        if value is not None and math.isfinite(value):
            self._values[float(f"{value:.{DIGITS}g}")] += 1

    @property
    def total(self) -> int:
        """Number of values."""
        return self._values.total()

    def quantile(self, share: float) -> float:
        """Return the least value with this share of the values at or below it."""
        below = 0
        for value in sorted(self._values):
            below += self._values[value]
            if below >= share * self.total:
                return value
        return math.nan

    def bars(self) -> list[Bar]:
        """Return bars of equal width over nearly all values: at most forty, fewer for few values.

        Their number is that of the Rice rule, and their width 1, 2 or 5 times a power of ten.

        Examples
        --------
        >>> found = Distribution("Diameter", "diameter, px", "beads")
        >>> for value in (9.0, 9.5, 10.0, 10.4, 12.0): found.add(value)
        >>> [(bar.low, bar.high, bar.count) for bar in found.bars()]
        [(9.0, 10.0, 2), (10.0, 11.0, 2), (11.0, 12.0, 0), (12.0, 13.0, 1)]
        """
        low, high = (self.quantile(share) for share in ENDS)
        wanted = min(MOST_BARS, math.ceil(2 * self.total ** (1 / 3)))
        width = _round_up((high - low) / wanted or abs(high) / 10 or 1.0)
        first = _place(low, width)
        counts = [0] * (_place(high, width) - first + 1)
        for value, count in self._values.items():
            if low <= value <= high:
                counts[_place(value, width) - first] += count
        edges = [round((first + place) * width, 12) for place in range(len(counts) + 1)]
        ends = zip(pairwise(edges), counts, strict=True)
        return [Bar(low, high, count) for (low, high), count in ends]

    @property
    def remark(self) -> str:
        """Its note, the median, and how many values are beyond the bars."""
        beyond = self.total - sum(bar.count for bar in self.bars())
        words = f"{self.total:,} {self.what}, median {self.quantile(0.5):.4g}. {self.note}".strip()
        return words + (f" {beyond:,} beyond the ends are not drawn." if beyond else "")


def _place(value: float, width: float) -> int:
    """Return the number of the bar that a value is in; one on an edge is in the bar that begins there."""
    return math.floor(round(value / width, 9))


def _round_up(width: float) -> float:
    """Return the least of 1, 2 and 5 times a power of ten that is no less."""
    power = 10.0 ** math.floor(math.log10(width))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= width * (1 - 1e-9))
