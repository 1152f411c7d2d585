"""A value that was measured, with its standard deviation."""

import re
from dataclasses import dataclass

from beadctl.errors import SettingsError

# Least and largest value: beyond, no length and no dilution lies.
LIMITS = (1e-9, 1e12)
_NUMBER = r"\s*(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)\s*"
_MEASURED = re.compile(rf"{_NUMBER}(?:(?:±|\+-|\+/-){_NUMBER})?")


@dataclass(frozen=True)
class Measured:
    """A value above 0, and its standard deviation: 0 where it is exact, or where that is unknown."""

    value: float
    sd: float = 0.0

    @classmethod
    def parse(cls, text: str) -> "Measured":
        """Read ``100``, ``100+-2`` or ``100±2``.

        Raises
        ------
        SettingsError
            If the text is none of these, the value is not above 0 or beyond any that can be measured, or its
            standard deviation is not below it.

        Examples
        --------
        >>> Measured.parse("100+-2")
        Measured(value=100.0, sd=2.0)
        """
        match = _MEASURED.fullmatch(text)
        least, largest = LIMITS
        if not match or not least <= float(match[1]) <= largest:
            raise SettingsError(
                f"{text}: not a value above 0 with or without standard deviation; write 100 or 100+-2"
            )
        found = cls(float(match[1]), float(match[2] or 0))
        if found.sd >= found.value:
            raise SettingsError(f"{text}: the standard deviation is not below the value; write 100+-2")
        return found

    @property
    def relative_sd(self) -> float:
        """Standard deviation over value."""
        return self.sd / self.value
