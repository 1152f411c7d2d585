"""Whether a mask lies where its image shows beads: transformed, shifted or drifting masks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from beadctl.audit.drift import Drift, drift_from_detections, drift_from_edges
from beadctl.audit.edges import Outlines, trace_outlines
from beadctl.audit.faults import Fault, Finding, Verdict
from beadctl.audit.fit import PairFeatures, fit_mask

Labels = NDArray[np.uint32]


@dataclass(frozen=True)
class PlacementLimits:
    """Limits for the place of a mask on its image.

    =================  ============  ========  ============================================================
    name               value         unit      why
    =================  ============  ========  ============================================================
    score              10.0          -         from this fit score on, a mask belongs to its image
    gain               1.6           ratio     a transformed mask must fit this much better
    shift              (0.8, 0.03)   -         shorter shifts, in px or diameters, are drawing accuracy
    shift_error        22.0          px        error of a shift from edges at fit score 1, if detections
                                               confirm it,
    shift_error_edges  30.0          px        and if there are too few detections
    detected           0.3           share     detections under this share of the marks may overrule edges
    bad                (1.75, 0.12)  -         in px and diameters: a shift or drift beyond both is bad,
    min_beads          3             -         a shift if there are so many beads: one or two may lie on the
                                               inner edge of a ring
    drift_edges        (0.75, 3.3)   -         smallest drift from edges, in px and standard errors
    drift_detections   (0.5, 3.0)    -         smallest drift from detections, in px and standard errors
    scale              0.012         share     a drift with more than this is named a wrong scale
    rotation_deg       0.7           degrees   a drift with more than this is named a rotation
    =================  ============  ========  ============================================================
    """

    score: float = 10.0
    gain: float = 1.6
    shift: tuple[float, float] = (0.8, 0.03)
    shift_error: float = 22.0
    shift_error_edges: float = 30.0
    detected: float = 0.3
    bad: tuple[float, float] = (1.75, 0.12)
    min_beads: int = 3
    drift_edges: tuple[float, float] = (0.75, 3.3)
    drift_detections: tuple[float, float] = (0.5, 3.0)
    scale: float = 0.012
    rotation_deg: float = 0.7


LIMITS = PlacementLimits()
SCALES = (0.94, 0.96, 0.97, 0.98, 0.99, 1.01, 1.02, 1.03, 1.04, 1.06)
ROTATIONS_DEG = (-4.0, -2.0, -1.0, 1.0, 2.0, 4.0)
FLIPS: dict[str, Callable[[Labels], Labels]] = {
    "mirrored top to bottom": lambda labels: labels[::-1],
    "mirrored left to right": lambda labels: labels[:, ::-1],
    "rotated by 180°": lambda labels: labels[::-1, ::-1],
    "transposed (rows and columns swapped)": lambda labels: labels.T,
    "rotated by 90° counter-clockwise": np.rot90,
    "rotated by 90° clockwise": lambda labels: np.rot90(labels, -1),
    "mirrored at the diagonal from bottom left to top right": lambda labels: labels[::-1, ::-1].T,
}


def find_transform(pair: PairFeatures) -> Finding | None:
    """Return the flip, scale or rotation with which a mask fits far better; None if there is none."""
    best, least = None, max(LIMITS.score, LIMITS.gain * pair.fit.score)
    for fault, transform, outlines in _transforms(pair.labels, pair.outlines):
        score = fit_mask(outlines, pair.edges).score
        if score > least:
            best, least = Finding(fault, Verdict.BAD, f"the mask fits when it is {transform}"), score
    return best


def _transforms(labels: Labels, outlines: Outlines) -> Iterator[tuple[Fault, str, Outlines]]:
    for name, flip in FLIPS.items():
        flipped = flip(labels)
        if flipped.shape == labels.shape:
            yield Fault.FLIPPED, name, trace_outlines(np.ascontiguousarray(flipped))
    for scale in SCALES:
        yield Fault.SCALED, f"scaled by {scale:g}", _transformed(outlines, labels.shape, scale, 0.0)
    for angle in ROTATIONS_DEG:
        name = f"rotated by {abs(angle):g}° {_direction(angle)}"
        yield Fault.TURNED, name, _transformed(outlines, labels.shape, 1.0, angle)


def _direction(angle_deg: float) -> str:
    return "clockwise" if angle_deg > 0 else "counter-clockwise"


def _transformed(outlines: Outlines, shape: tuple[int, ...], scale: float, angle_deg: float) -> Outlines:
    """Scale outlines and rotate them clockwise about the middle of the image."""
    middle_y, middle_x = shape[0] / 2, shape[1] / 2
    cos, sin = np.cos(np.radians(angle_deg)) * scale, np.sin(np.radians(angle_deg)) * scale
    y = np.rint(middle_y + cos * (outlines.y - middle_y) + sin * (outlines.x - middle_x)).astype(np.intp)
    x = np.rint(middle_x - sin * (outlines.y - middle_y) + cos * (outlines.x - middle_x)).astype(np.intp)
    keep = (y >= 0) & (y < shape[0]) & (x >= 0) & (x < shape[1])
    return replace(
        outlines,
        y=y[keep],
        x=x[keep],
        normal_y=outlines.normal_y[keep],
        normal_x=outlines.normal_x[keep],
        bead_index=outlines.bead_index[keep],
    )


def judge_placement(pair: PairFeatures) -> list[Finding]:
    """Judge the shift of a mask, and how it changes over the image."""
    findings: list[Finding] = []
    fit, diameter_px = pair.fit, pair.outlines.diameter_px
    bad_px = max(LIMITS.bad[0], LIMITS.bad[1] * diameter_px)
    detected = drift_from_detections(pair.labels, pair.detections) if pair.detections else None
    # Few marks of a mask that lies far off have detections, and those belong to other beads.
    enough = detected and detected.inliers >= LIMITS.detected * pair.outlines.bead_count
    witness = detected if enough else None
    # The agreement of few beads with wide edges is flat at the top, so that its maximum is uncertain.
    sure = fit.score >= LIMITS.score or fit.unshifted_agreement < fit.agreement / 2
    error_px = (LIMITS.shift_error if witness else LIMITS.shift_error_edges) / max(fit.score, 1.0)
    if (
        sure
        and fit.shift_px > max(LIMITS.shift[0], error_px, LIMITS.shift[1] * diameter_px)
        and not (witness and witness.shift_px + 2 * witness.error_px < fit.shift_px / 2)
        and _allowed(pair, np.array([[fit.dy, 0, 0], [fit.dx, 0, 0]]))
    ):
        enough_beads = pair.outlines.bead_count >= LIMITS.min_beads
        verdict = Verdict.BAD if fit.shift_px >= bad_px and enough_beads else Verdict.CHECK
        message = f"the mask is shifted: move it by ({fit.dy:+.1f}, {fit.dx:+.1f}) px in y and x"
        findings.append(Finding(Fault.SHIFTED, verdict, message))
    drift = drift_from_edges(pair) if sure or witness else None
    if (
        drift
        and _significant(drift, LIMITS.drift_edges)
        and not (witness and witness.spread_px + 2 * witness.error_px < drift.spread_px / 2)
        and _allowed(pair, drift.displacement)
    ):
        findings.append(_drift_finding(drift, bad_px))
    elif detected and _significant(detected, LIMITS.drift_detections):
        findings.append(_drift_finding(detected, bad_px))
    return findings


def _allowed(pair: PairFeatures, displacement: NDArray[np.float64]) -> bool:
    return pair.detections is None or pair.detections.allow_move(pair.labels, displacement)


def _significant(drift: Drift, limits: tuple[float, float]) -> bool:
    return drift.spread_px > max(limits[0], limits[1] * drift.error_px)


def _drift_finding(drift: Drift, bad_px: float) -> Finding:
    verdict = Verdict.BAD if drift.spread_px >= bad_px else Verdict.CHECK
    if abs(drift.scale) > LIMITS.scale:
        message = f"the mask is {abs(drift.scale):.1%} too {'small' if drift.scale > 0 else 'large'}"
        return Finding(Fault.SCALED, verdict, message)
    if abs(drift.rotation_deg) > LIMITS.rotation_deg:
        angle = drift.rotation_deg
        return Finding(Fault.TURNED, verdict, f"rotate the mask by {abs(angle):.1f}° {_direction(angle)}")
    message = f"the shift changes by {drift.spread_px:.1f} px (standard deviation) over the image"
    return Finding(Fault.DRIFT, verdict, message)
