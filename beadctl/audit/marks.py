"""Whether single marks are right: merged, missing, without a bead under them, too small or too large."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import regionprops

from beadctl.audit.faults import Fault, Finding, Verdict
from beadctl.audit.fit import PairFeatures, mean_support, outline_growth_px
from beadctl.audit.missed import missed_by_detections, missed_by_edges
from beadctl.words import form, number_of


@dataclass(frozen=True)
class MarkLimits:
    """Limits for the marks of a mask.

    Pairs of shares are those from which on to look at a mask, and from which on it is bad; pairs of sizes are
    in px and in median diameters, both exceeded.

    ================  =============  =====  ============================================================
    name              value          unit   why
    ================  =============  =====  ============================================================
    merged_area       1.2            ratio  a mark of several beads is larger than this times the median,
    merged_inscribed  0.72           share  its inscribed circle fills less (all of a disc, half of two),
    merged_solidity   0.92           share  and it fills less of its convex hull without other marks: a
                                            bead that another one covers in part has no waist
    merged            (0.015, 0.1)   share  of marks with several beads
    missed            (0.02, 0.25)   share  of missed beads among all that one method sees
    missed_few        8              beads  fewer missed beads may be debris, and are to be looked at,
    missed_detected   0.015          share  and relative to the marks, by detections,
    missed_edges      0.03           share  or by edges alone, which are less certain
    support           0.25           share  marks with less of the median support have no edges
    offset_px         1.5            px     and a mark may lie off by this much for its edges
    unsupported       (0.12, 0.5)    share  of marks without edges; a few have weak edges in any mask
    small             (1.6, 0.17)    -      marks too small, by the mean of edges and detections
    small_edges       (1.2, 0.16)    -      and by edges alone
    large             (2.5, 0.2)     -      marks too large, by the mean of edges and detections
    large_edges       (1.5, 0.3)     -      and by edges alone
    ================  =============  =====  ============================================================
    """

    merged_area: float = 1.2
    merged_inscribed: float = 0.72
    merged_solidity: float = 0.92
    merged: tuple[float, float] = (0.015, 0.1)
    missed: tuple[float, float] = (0.02, 0.25)
    missed_few: int = 8
    missed_detected: float = 0.015
    missed_edges: float = 0.03
    support: float = 0.25
    offset_px: float = 1.5
    unsupported: tuple[float, float] = (0.12, 0.5)
    small: tuple[float, float] = (1.6, 0.17)
    small_edges: tuple[float, float] = (1.2, 0.16)
    large: tuple[float, float] = (2.5, 0.2)
    large_edges: tuple[float, float] = (1.5, 0.3)


LIMITS = MarkLimits()


def judge_marks(pair: PairFeatures) -> list[Finding]:
    """Judge the marks of a mask that lies where it belongs."""
    growth_px = outline_growth_px(pair)
    by_growth = _missed(pair, growth_px) + _unsupported(pair, growth_px) + _sized(pair, growth_px)
    return _merged(pair) + by_growth


def _graded(fault: Fault, share: float, limits: tuple[float, float], message: str) -> list[Finding]:
    if share <= limits[0]:
        return []
    return [Finding(fault, Verdict.BAD if share > limits[1] else Verdict.CHECK, message)]


def _merged(pair: PairFeatures) -> list[Finding]:
    count, total = _count_merged(pair), pair.outlines.bead_count
    hold = form(count, "holds", "hold")
    message = f"{count} of {number_of(total, 'mark')} {hold} several beads by their shape"
    return _graded(Fault.MERGED, count / total, LIMITS.merged, message)


def _count_merged(pair: PairFeatures) -> int:
    labels, area_px = pair.labels, pair.outlines.area_px
    large = np.unique(labels[labels > 0])[area_px > LIMITS.merged_area * float(np.median(area_px))]
    count = 0
    wanted = np.where(np.isin(labels, large), labels, 0).astype(np.int64)
    for region in regionprops(wanted):  # type: ignore[no-untyped-call]
        # Smaller marks have no measurable shape.
        if region.area < 24:
            continue
        radius = float(ndimage.distance_transform_edt(np.pad(region.image, 1)).max())
        if np.pi * radius**2 >= LIMITS.merged_inscribed * region.area:
            continue
        others = labels[region.slice][region.image_convex & ~region.image] > 0
        count += region.area < LIMITS.merged_solidity * (region.area_convex - int(others.sum()))
    return count


def _missed(pair: PairFeatures, growth_px: float) -> list[Finding]:
    if pair.detections is None:
        found, least = missed_by_edges(pair, growth_px), LIMITS.missed_edges
    else:
        found, least = missed_by_detections(pair, pair.detections, growth_px), LIMITS.missed_detected
    if found.missed <= least * pair.outlines.bead_count:
        return []
    message = f"beads without a mark: about {found.missed}; with a mark: {found.marked}"
    share = min(found.share, LIMITS.missed[1]) if found.missed < LIMITS.missed_few else found.share
    return _graded(Fault.MISSED, share, LIMITS.missed, message)


def _unsupported(pair: PairFeatures, growth_px: float) -> list[Finding]:
    without_edge, judged = _without_edges(pair, growth_px), int(pair.outlines.judged.sum())
    if pair.detections and without_edge.sum() > LIMITS.unsupported[0] * judged:
        without_edge &= pair.detections.undetected(pair.labels)
    count = int(without_edge.sum())
    message = f"{count} of {number_of(judged, 'mark')} {form(count, 'has', 'have')} no edge under them"
    return _graded(Fault.NOTHING_THERE, count / judged, LIMITS.unsupported, message) if count > 1 else []


def _without_edges(pair: PairFeatures, growth_px: float) -> NDArray[np.bool_]:
    """Return the judged beads whose outlines lie on no edges, shape (beads,)."""
    outlines, fit, by = pair.outlines, pair.fit, LIMITS.offset_px
    shifts = [(fit.dy + a, fit.dx + b) for a, b in ((0, 0), (by, 0), (-by, 0), (0, by), (0, -by))]
    away_px, sign = growth_px + 0.5, fit.sign
    # Without sign: above and below the plane of focus, beads of one field may be bright and dark.
    best = np.max([np.abs(mean_support(outlines, pair.edges, away_px, at, sign)) for at in shifts], axis=0)
    median = float(np.median(best[outlines.judged])) if outlines.judged.any() else 0.0
    return np.asarray(outlines.judged & (best < LIMITS.support * median), bool)


def _sized(pair: PairFeatures, growth_px: float) -> list[Finding]:
    """Judge whether marks are too small or too large, where edges and detections agree on which."""
    diameter_px = pair.outlines.diameter_px
    small, large = LIMITS.small_edges, LIMITS.large_edges
    growth = pair.detections.relative_growth(pair.labels) if pair.detections else float("nan")
    if not np.isnan(growth):
        small, large = LIMITS.small, LIMITS.large
        detected_px = growth * diameter_px / 2
        growth_px = (growth_px + detected_px) / 2 if detected_px * growth_px > 0 else 0.0
    share = growth_px / max(diameter_px, 1.0)
    if growth_px >= small[0] and share > small[1]:
        message = f"the beads' edges lie {growth_px:.1f} px outside of the outlines"
        return [Finding(Fault.SHRUNK, Verdict.CHECK, message)]
    if -growth_px >= large[0] and -share > large[1]:
        message = f"the beads' edges lie {-growth_px:.1f} px inside of the outlines"
        return [Finding(Fault.SWOLLEN, Verdict.CHECK, message)]
    return []
