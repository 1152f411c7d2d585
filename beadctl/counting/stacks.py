"""How the planes of a stack become counts."""

from enum import StrEnum


class Projection(StrEnum):
    """What the planes of a Z stack become, one plane that is counted."""

    MAX = "max"
    MEAN = "mean"
    SHARPEST = "sharpest"


class Unit(StrEnum):
    """What is one field of the statistics."""

    PLANE = "plane"
    FILE = "file"
