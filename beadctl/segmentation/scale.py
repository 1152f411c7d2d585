"""The scale rule: by which whole factor a plane is shrunk before the network sees it.

The network parts beads of about 4 to 100 px. Maps of a shrunk plane are enlarged again, so label images,
areas and diameters stay in the pixels of the file.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from beadctl.images import Window
from beadctl.segmentation.measure import BeadTable

FACTORS = (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class ScaleLimits:
    """Limits of the scale rule.

    ======================  =====  ======  ===============================================================
    name                    value  unit    why
    ======================  =====  ======  ===============================================================
    largest_diameter_px     64     px      a stated bead larger than this is shrunk; training had up to 100
    confidence              0.5    0..1    a sound bead has at least this
    solidity                0.88   0..1    least area over that of the ellipse of equal second moments
    aspect                  2.0    ratio   largest ratio of the ellipse's axes
    enough                  0.7    0..1    sound share of the area from which a scale is accepted at once
    gain                    1.5    factor  a scale that is not enough must be so much sounder than factor 1
    least_diameter_px       16     px      smaller ones in the shrunk plane are clumps of small beads
    least_edge_px           48     px      a plane is not shrunk below this edge
    sample_edge_px          1024   px      edge of the windows by which a large plane is judged
    whole_edge_px           4096   px      a plane up to this edge is judged as a whole
    ======================  =====  ======  ===============================================================
    """

    largest_diameter_px: float = 64.0
    confidence: float = 0.5
    solidity: float = 0.88
    aspect: float = 2.0
    enough: float = 0.7
    gain: float = 1.5
    least_diameter_px: float = 16.0
    least_edge_px: int = 48
    sample_edge_px: int = 1024
    whole_edge_px: int = 4096


LIMITS = ScaleLimits()


def factor_for(diameter_px: float) -> int:
    """Return the smallest factor that brings a bead down to 64 px, or the largest there is."""
    limit = LIMITS.largest_diameter_px
    return next((factor for factor in FACTORS if diameter_px / factor <= limit), FACTORS[-1])


def soundness(tables: Sequence[BeadTable]) -> float:
    """Return the share of the area found that lies in beads of a plausible shape; 0 if there are none.

    `ScaleLimits` has the limits on confidence, solidity and aspect; pieces of a larger bead, and texture on
    it, exceed them.
    """
    found = sound = 0
    for table in tables:
        ellipse = np.pi / 4 * table.major_axis_px * table.minor_axis_px
        plausible = (
            (table.confidence >= LIMITS.confidence)
            & (table.area_px >= LIMITS.solidity * ellipse)
            & (table.major_axis_px <= LIMITS.aspect * table.minor_axis_px)
        )
        found, sound = found + int(table.area_px.sum()), sound + int(table.area_px[plausible].sum())
    return sound / found if found else 0.0


def typical_px(tables: Sequence[BeadTable]) -> float:
    """Return the area-weighted mean diameter of the beads found, px; 0 if there are none."""
    area = np.concatenate([table.area_px for table in tables])
    diameter = np.concatenate([table.diameter_px for table in tables])
    return float(area @ diameter / area.sum()) if len(area) else 0.0


def chosen(height: int, width: int, beads_at: Callable[[int], Sequence[BeadTable]]) -> int:
    """Return the factor at which the beads found on a plane are sound.

    The finest scale with enough `soundness` is taken, so small beads are never merged into a large one. Where
    none has, the soundest is taken if it is at least 1.5 times as sound as the plane as it is. A coarser
    scale counts only if its beads are at least 16 px in the shrunk plane.

    Parameters
    ----------
    height, width : int
        Size of the plane, px.
    beads_at : callable
        ``beads_at(factor)`` gives the beads that the network finds on the shrunk plane or windows of it;
        called for as few factors as possible, finest first.
    """
    best, most, least = 1, 0.0, 0.0
    for factor in FACTORS:
        if factor > 1 and min(height, width) / factor < LIMITS.least_edge_px:
            break
        tables = beads_at(factor)
        found = soundness(tables)
        if factor > 1 and typical_px(tables) < LIMITS.least_diameter_px:
            continue
        if found >= LIMITS.enough:
            return factor
        least = found * LIMITS.gain if factor == 1 else least
        if found > max(most, least):
            best, most = factor, found
    return best


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
