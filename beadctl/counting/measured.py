"""A value that was measured, with its standard deviation."""

import re
from dataclasses import dataclass

from beadctl.errors import SettingsError

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
            If the text is none of these, or the value is not above 0.

        Examples
        --------
        >>> Measured.parse("100+-2")
        Measured(value=100.0, sd=2.0)
        """
        match = _MEASURED.fullmatch(text)
        if not match or float(match[1]) <= 0:
            raise SettingsError(
                f"{text}: not a value above 0 with or without standard deviation; write 100 or 100+-2"
            )
        return cls(float(match[1]), float(match[2] or 0))

    @property
    def relative_sd(self) -> float:
        """Standard deviation over value."""
        return self.sd / self.value
