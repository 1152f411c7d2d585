"""Diameters and areas of beads as the user states them: in pixels, or in um with the image's pixel size."""

import math
import re
from dataclasses import dataclass

from beadctl.errors import SettingsError

_NUMBER = r"\s*(\d+(?:\.\d+)?|\.\d+)\s*"
_DIAMETER = re.compile(_NUMBER + r"(px|um|µm|μm|)\s*")
_AREA = re.compile(_NUMBER + r"(px|(?:px|um|µm|μm)(?:2|²|\^2)|)\s*")


@dataclass(frozen=True)
class Diameter:
    """The diameter of a bead: a value above 0, in ``px`` or ``um``."""

    value: float
    unit: str

    @classmethod
    def parse(cls, text: str, setting: str = "--diameter", what: str = "diameter") -> "Diameter":
        """Read ``12``, ``12px`` or ``5um``.

        Raises
        ------
        SettingsError
            If the text is none of these, or not above 0; it names the setting, and `what` was asked for.
        """
        problem = f"{setting} {text}: not a {what}; give it as 12px or 5um"
        return cls(*_parsed(_DIAMETER, text, problem))

    @property
    def across(self) -> float:
        """The diameter, in its unit."""
        return self.value

    def in_px(self, pixel_size_um: float | None) -> float | None:
        """Return the diameter in pixels; None for a diameter in um where the pixel size is unknown."""
        if self.unit == "px":
            return self.value
        return self.value / pixel_size_um if pixel_size_um else None


@dataclass(frozen=True)
class Area:
    """The area of a bead: a value above 0, in pixels (``px``) or square micrometres (``um``)."""

    value: float
    unit: str

    @classmethod
    def parse(cls, text: str, setting: str = "--min-area") -> "Area":
        """Read ``60``, ``60px`` (also ``60px2``) or ``25um2``.

        Raises
        ------
        SettingsError
            If the text is none of these, or not above 0; it names the setting.
        """
        return cls(*_parsed(_AREA, text, f"{setting} {text}: not an area; give it as 60px or 25um2"))

    @property
    def across(self) -> float:
        """The diameter of the disc of this area, in px or um."""
        return 2 * math.sqrt(self.value / math.pi)

    def in_px(self, pixel_size_um: float | None) -> float | None:
        """Return the area in pixels; None for an area in um2 where the pixel size is unknown."""
        if self.unit == "px":
            return self.value
        return self.value / pixel_size_um**2 if pixel_size_um else None


def _parsed(pattern: re.Pattern[str], text: str, problem: str) -> tuple[float, str]:
    match = pattern.fullmatch(text)
    if not match or float(match[1]) <= 0:
        raise SettingsError(problem)
    return float(match[1]), "px" if match[2] == "" or match[2].startswith("px") else "um"
