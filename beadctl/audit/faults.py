"""Faults of an image and its mask, and their verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What to do with a pair: use it, look at it, or leave it out."""

    OK = "ok"
    CHECK = "check"
    BAD = "bad"

    @property
    def rank(self) -> int:
        """0 for ok, 2 for bad."""
        return list(Verdict).index(self)


class Fault(StrEnum):
    """A kind of fault."""

    UNREADABLE = "unreadable"
    OTHER_IMAGE = "other image"
    FLIPPED = "flipped"
    SHIFTED = "shifted"
    SCALED = "scaled"
    TURNED = "turned"
    DRIFT = "drift"
    MERGED = "merged"
    MISSED = "missed beads"
    NOTHING_THERE = "nothing there"
    SHRUNK = "shrunk"
    SWOLLEN = "swollen"
    GREY = "grey mask"
    BY_CLASS = "mask by class"
    EMPTY = "empty mask"
    FULL = "full mask"
    BLANK = "blank image"
    SATURATED = "saturated"
    OUT_OF_FOCUS = "out of focus"
    BIT_DEPTH = "bit depth"
    DUPLICATE = "duplicate"
    LEAK = "leak"


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault of one pair, how bad it is, and a description with its figures."""

    fault: Fault
    verdict: Verdict
    message: str
