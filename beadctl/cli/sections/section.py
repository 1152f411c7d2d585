"""What sections of the settings are made of: their base class, and the kinds of values of their fields."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from beadctl.cluster import place
from beadctl.counting.measured import Measured
from beadctl.devices import DEVICE_KINDS, DEVICE_PATTERN
from beadctl.errors import SettingsError
from beadctl.results.formats import Output
from beadctl.segmentation.sizes import Area, Diameter


class Section(BaseModel):
    """A group of settings: frozen, and unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _without_nul(cls, value: object) -> object:
        """Refuse a text or path with a character that no file name has, which calls of files refuse."""
        if isinstance(value, str | Path) and "\0" in str(value):
            raise ValueError("holds the character NUL; take it out")
        return value


Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Probability = Annotated[float, Field(gt=0.0, lt=1.0)]
Weight = Annotated[float, Field(ge=0.0)]


def _like(pattern: str, problem: str) -> AfterValidator:
    """Return a check of the form of a text, whose error is in words."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(problem)
        return text

    return AfterValidator(check)


Axes = Annotated[str, _like("[A-Z]{2,8}", "no axes; give one capital letter an axis, such as ZYX")]
Device = Annotated[
    str, _like(DEVICE_PATTERN, f"no device; give {', '.join(DEVICE_KINDS)}, or such as cuda:1")
]


def _list(value: object) -> object:
    """Split a list as flags, which may be repeated, and the environment give it: ``0.7,0.3``."""
    parts = [value] if isinstance(value, str) else value
    if isinstance(parts, list) and all(isinstance(part, str) for part in parts):
        return [word.strip() for part in parts for word in part.split(",")]
    return value


Outputs = Annotated[tuple[Output, ...], BeforeValidator(_list)]
Weights = Annotated[tuple[Weight, ...], BeforeValidator(_list)]
Texts = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_list)]


def _as_text(value: object) -> object:
    """Return a number of pixels as the text that a flag would give."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _read_by(parse: Callable[[str], object]) -> AfterValidator:
    def check(text: str) -> str:
        try:
            parse(text)
        except SettingsError as error:
            # The error that this becomes names the setting and where it is.
            raise ValueError(str(error).rpartition(": ")[2]) from None
        return text

    return AfterValidator(check)


AreaText = Annotated[str, BeforeValidator(_as_text), _read_by(Area.parse)]
DiameterText = Annotated[str, BeforeValidator(_as_text), _read_by(Diameter.parse)]
DistanceText = Annotated[str, BeforeValidator(_as_text), _read_by(partial(Diameter.parse, what="distance"))]
MeasuredText = Annotated[str, BeforeValidator(_as_text), _read_by(Measured.parse)]
PlaceText = Annotated[str, _read_by(place.parse)]
SizeText = Annotated[str, BeforeValidator(_as_text)]
