"""The scale rule: by which whole factor a plane is shrunk before the network sees it.

A network parts beads of a range of sizes; that of the default model is on its model card. Maps of a shrunk
plane are enlarged again, so label images, areas and diameters stay in the pixels of the file.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from beadctl.images import Window
from beadctl.segmentation.bead_table import BeadTable
from beadctl.segmentation.instances import Found
from beadctl.segmentation.quality import instability

FACTORS = (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class ScaleLimits:
    """Limits of the scale rule.

    ======================  =====  ======  ===============================================================
    name                    value  unit    why
    ======================  =====  ======  ===============================================================
    stated_px               16, 80 px      sizes at which a stated bead is shown, well inside that range
    confidence              0.65   0..1    a sound bead has at least this
    solidity                0.88   0..1    least area over that of the ellipse of equal second moments
    aspect                  2.0    ratio   largest ratio of the ellipse's axes
    unstable                0.5    ratio   a count that changes by more with the thresholds is not stable
    gain                    1.2    factor  a coarser scale must be worth so much more,
    more                    0.02   0..1    and by so much
    seen_px                 60     px      where half of the beads look larger, half of that scale is better
    kept                    0.9    factor  if it is worth at least so much of the other
    least_diameter_px       16     px      smaller ones in the shrunk plane are clumps of small beads
    most_diameter           0.4    share   of the plane's shorter edge: wider ones are vessels and supports
    least_edge_px           48     px      a plane is not shrunk below this edge
    sample_edge_px          1024   px      edge of the windows by which a large plane is judged
    whole_edge_px           4096   px      a plane up to this edge is judged as a whole
    ======================  =====  ======  ===============================================================
    """

    stated_px: tuple[float, float] = (16.0, 80.0)
    confidence: float = 0.65
    solidity: float = 0.88
    aspect: float = 2.0
    unstable: float = 0.5
    gain: float = 1.2
    more: float = 0.02
    seen_px: float = 60.0
    kept: float = 0.9
    least_diameter_px: float = 16.0
    most_diameter: float = 0.4
    least_edge_px: int = 48
    sample_edge_px: int = 1024
    whole_edge_px: int = 4096


LIMITS = ScaleLimits()


def factors_for(diameter_px: float | None) -> tuple[int, ...]:
    """Return the factors to choose from for beads of this diameter: all where it is unknown.

    They bring a bead to 16 to 80 px. A smaller one is seen as it is, one above 1280 px shrunk by the most.
    """
    if diameter_px is None:
        return FACTORS
    least, most = LIMITS.stated_px
    within = tuple(factor for factor in FACTORS if least <= diameter_px / factor <= most)
    return within or (FACTORS[0 if diameter_px < least else -1],)


@dataclass(frozen=True)
class Evidence:
    """What the beads found at a scale say for it.

    Attributes
    ----------
    covered, sound : float
        Share of the plane that lies in beads, and in beads of a plausible shape and sure enough.
    diameter_px : float
        Mean diameter of the beads, weighted by area, px of the shrunk plane; 0 without beads.
    median_px : float
        Median diameter of the beads, px of the shrunk plane; 0 without beads.
    instability : float
        By how much their number depends on the thresholds; see `beadctl.segmentation.quality.instability`.
    """

    covered: float
    sound: float
    diameter_px: float
    median_px: float
    instability: float

    @classmethod
    def of(cls, found: Sequence[Found], tables: Sequence[BeadTable]) -> "Evidence":
        """Sum up the beads of the windows of a plane and their measurements.

        `ScaleLimits` has the limits on confidence, solidity and aspect; pieces of a larger bead, and texture
        on it, exceed them.
        """
        seen = sum(one.labels.size for one in found)
        area, diameter, confidence, major, minor = (
            np.concatenate([getattr(table, name) for table in tables])
            for name in ("area_px", "diameter_px", "confidence", "major_axis_px", "minor_axis_px")
        )
        plausible = (
            (confidence >= LIMITS.confidence)
            & (area >= LIMITS.solidity * np.pi / 4 * major * minor)
            & (major <= LIMITS.aspect * minor)
        )
        return cls(
            covered=float(area.sum() / seen),
            sound=float(area[plausible].sum() / seen),
            diameter_px=float(area @ diameter / area.sum()) if len(area) else 0.0,
            median_px=float(np.median(diameter)) if len(diameter) else 0.0,
            instability=instability(found, len(area)),
        )

    @property
    def worth(self) -> float:
        """Share of the plane in sound beads, times their share of all beads, times stability, 0..1."""
        stability = max(0.0, 1 - self.instability)
        return self.sound**2 / self.covered * stability if self.covered else 0.0

    @property
    def looks_large(self) -> bool:
        """Whether half of the beads or more are larger than the network sees best."""
        return self.median_px > LIMITS.seen_px

    @property
    def settles(self) -> bool:
        """Whether no other scale need be tried: sound beads are more than specks, of a stable number."""
        sound = self.sound >= LIMITS.more and self.instability < LIMITS.unstable
        return sound and not self.looks_large

    def outweighs(self, other: "Evidence") -> bool:
        """Whether sound beads, and not clumps of small ones, speak for this scale against a finer one.

        They have to be worth clearly more; where beads look large at the finer scale, about as much.
        """
        clearly_more = LIMITS.gain * other.worth + LIMITS.more
        needed = LIMITS.kept * other.worth if other.looks_large else clearly_more
        return self.diameter_px >= LIMITS.least_diameter_px and self.worth > needed

    def is_surer(self, other: "Evidence") -> bool:
        """Whether the number is no less stable than at a finer scale, or that one has but specks."""
        return self.instability <= other.instability or (
            self.instability <= LIMITS.unstable and other.worth < LIMITS.more
        )


@dataclass(frozen=True)
class Choice:
    """The factor by which a plane is shrunk, and whether larger objects were seen at a scale not taken."""

    factor: int
    has_larger: bool = False


def chosen(
    height: int,
    width: int,
    evidence_at: Callable[[int], Evidence],
    factors: Sequence[int] = FACTORS,
    *,
    stated: bool = False,
) -> Choice:
    """Return the factor at which the beads found on a plane are best.

    The finest scale stands where it has more than specks and their number is stable, so small beads are not
    merged into a large one. Else a coarser scale is taken where sound beads cover clearly more of the plane,
    their number no less stable, and are at least 16 px in the shrunk plane and not too wide for the plane.
    Where half of the beads look larger than 60 px, about as much of the plane will do.

    Parameters
    ----------
    height, width : int
        Size of the plane, px.
    evidence_at : callable
        ``evidence_at(factor)`` sums up the beads that the network finds on the shrunk plane or windows of it;
        called for as few factors as possible, finest first.
    factors : sequence of int
        To choose from, smallest first; see `factors_for`.
    stated : bool
        Whether the diameter is: then every factor is tried, as pieces of large beads can look sound, and
        beads may be as wide as the plane.
    """
    widest = math.inf if stated else LIMITS.most_diameter
    best, most = factors[0], evidence_at(factors[0])
    if most.settles and not stated:
        return Choice(best)
    passed_over: list[Evidence] = []
    for factor in factors[1:]:
        edge_px = min(height, width) / factor
        if edge_px < LIMITS.least_edge_px:
            break
        evidence = evidence_at(factor)
        if not evidence.outweighs(most):
            continue
        if evidence.is_surer(most) and evidence.diameter_px <= widest * edge_px:
            best, most = factor, evidence
        else:
            passed_over.append(evidence)
    return Choice(best, any(one.outweighs(most) for one in passed_over))


def sample_windows(height: int, width: int) -> list[Window]:
    """Return the windows by which the scale of a plane of this size, px, is chosen: all, or 2 or 4 squares.

    The squares of a large plane are cells of a grid from its origin, at a quarter and three quarters of each
    side, so the network's maps of them serve for the plane too.
    """
    if max(height, width) <= LIMITS.whole_edge_px:
        return [Window(0, 0, height, width)]
    edge = LIMITS.sample_edge_px

    def starts(length: int) -> list[int]:
        cells = length // edge
        return [0] if cells < 2 else [edge * (cells // 4), edge * (3 * cells // 4)]

    return [
        Window(top, left, min(edge, height - top), min(edge, width - left))
        for top in starts(height)
        for left in starts(width)
    ]
