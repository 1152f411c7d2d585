"""One image and its mask, held against each other: a figure for each fault, and a verdict.

A mask is right where its outlines lie on edges of the image; edges have a direction, the same all around a
bead, so that a mask of another image fits nowhere. The limits below were chosen on simulated pairs with
planted faults; ``tests/benchmarks/bench_audit.py`` counts what they find on others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.audit.detections import AGREES, Detections, growth, may_move, overlap, unseen
from beadctl.audit.drift import Drift, by_beads, by_edges
from beadctl.audit.edges import Edges, Outlines, edges, outlines
from beadctl.audit.faults import Fault, Finding, Verdict, worst
from beadctl.audit.fit import MaskFit, fit, moved
from beadctl.audit.merged import merged
from beadctl.audit.missed import Unmarked, suspected, unmarked
from beadctl.audit.support import presence

Find = Callable[[NDArray[Any], bool], Detections]
Ask = Callable[[], Detections]
# Standing above all other shifts (see `MaskFit`) from which on a mask belongs to its image, and below which not.
FITS, NOT = 10.0, 6.25
# Images with a shorter side hold too little to compare, px.
SMALLEST_PX = 16
# Below this many beads chance alignments are as good as true ones.
FEWEST = 3
# Shortest shift, px times standing, that edges tell surely: with beads found under this share of the marks
# that do not deny it, and alone.
UNSURE, UNSURE_ALONE, WITNESSES = 22.0, 30.0, 0.3
# Beads without a mark that are worth a look: as a share of those that a finder sees, and of all marked ones,
# when it says so and when edges alone do.
MISSED, MISSED_OF_ALL, MISSED_BY_EDGES = 0.02, 0.015, 0.03
# How far edges lie outside or inside of outlines that are too small or too large, px and as a share of the
# diameter: on an average of edges and found beads, and by edges alone.
SHRUNK, SHRUNK_BY_EDGES = (1.6, 0.17), (1.2, 0.16)
SWOLLEN, SWOLLEN_BY_EDGES = (2.5, 0.2), (1.5, 0.3)
SCALES = (0.94, 0.96, 0.97, 0.98, 0.99, 1.01, 1.02, 1.03, 1.04, 1.06)
TURNS_DEG = (-4.0, -2.0, -1.0, 1.0, 2.0, 4.0)
VARIANTS: dict[str, Callable[[NDArray[np.uint32]], NDArray[np.uint32]]] = {
    "upside down": lambda labels: labels[::-1],
    "left for right": lambda labels: labels[:, ::-1],
    "by half a turn": lambda labels: labels[::-1, ::-1],
    "rows for columns": lambda labels: labels.T,
    "by a quarter turn": np.rot90,
    "by a quarter turn back": lambda labels: np.rot90(labels, -1),
    "over the other diagonal": lambda labels: labels[::-1, ::-1].T,
}


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found of one pair.

    Attributes
    ----------
    beads : int
        Marked beads.
    diameter_px : float
        Their median diameter, px.
    fit : MaskFit
        How the mask lies on the image.
    findings : tuple of Finding
        Its faults, the worst first.
    sharpness : float
        Fine over coarse edges of the image; of use against other images of the same kind.
    """

    beads: int
    diameter_px: float
    fit: MaskFit
    findings: tuple[Finding, ...]
    sharpness: float

    @property
    def verdict(self) -> Verdict:
        """The worst of the findings'."""
        return worst(self.findings)

    def plus(self, *more: Finding) -> Checked:
        """Return the same with more findings, the worst first."""
        every = sorted((*self.findings, *more), key=lambda one: -one.verdict.rank)
        return replace(self, findings=tuple(every))


def smoothing_px(diameter_px: float) -> float:
    """Return the scale at which edges of beads of that diameter are measured, px."""
    return float(np.clip(0.1 * diameter_px, 0.7, 3.0))


def check(
    pixels: NDArray[Any],
    labels: NDArray[np.uint32],
    *,
    grey: bool = False,
    find: Find | None = None,
) -> Checked:
    """Hold a label image against its image.

    Parameters
    ----------
    pixels : ndarray, shape (H, W)
        Grey values in any dtype.
    labels : ndarray of uint32, shape (H, W)
        0 for background, a number for each bead.
    grey : bool
        Whether the labels were cut from a mask of grey values.
    find : callable, optional
        Finds beads in an image, given its pixels and whether doubtful ones count: those that may contradict
        a mask do, those that an empty mask should hold do not.
    """
    outline = outlines(labels)
    findings = _of_image(pixels)
    if min(labels.shape) < SMALLEST_PX:
        nowhere = MaskFit(0.0, 0.0, 0.0, True, 0.0, 0.0)
        return Checked(outline.beads, outline.diameter_px, nowhere, tuple(findings), float("nan"))
    edge = edges(pixels, smoothing_px(outline.diameter_px))
    found = fit(outline, edge, reach_px=_reach(labels.shape))
    blank = any(one.fault is Fault.BLANK for one in findings)
    if grey:
        findings.append(
            Finding(Fault.GREY, Verdict.CHECK, 1, "the mask holds grey values; it is cut at half its highest")
        )
    cover = float((labels > 0).mean())
    ask = None if find is None else cache(partial(find, pixels, True))
    if not outline.beads:
        findings += _of_nothing(None if find is None else find(pixels, False))
    elif cover > 0.95:
        findings.append(Finding(Fault.FULL, Verdict.BAD, cover, f"the mask covers {cover:.0%} of the image"))
    elif not blank and len(outline.y):
        findings += _of_fit(outline, edge, labels, found, ask)
    checked = Checked(outline.beads, outline.diameter_px, found, (), _sharpness(pixels))
    return checked.plus(*findings)


def _reach(shape: tuple[int, ...]) -> int:
    return int(min(max(24, min(shape) // 12), 64, min(shape) // 8))


def _of_image(pixels: NDArray[Any]) -> list[Finding]:
    findings = []
    low, high = float(np.nanmin(pixels)), float(np.nanmax(pixels))
    if not high > low:
        return [Finding(Fault.BLANK, Verdict.BAD, 0, f"all pixels of the image are {low:g}")]
    clipped = float((pixels == high).mean())
    # A camera's highest value is all ones: 255, 4095, 65535.
    full = pixels.dtype.kind in "ui" and high >= 255 and float(np.log2(high + 1)).is_integer()
    if full and clipped > 0.05:
        findings.append(
            Finding(
                Fault.SATURATED, Verdict.CHECK, clipped, f"{clipped:.0%} of the pixels have the highest value"
            )
        )
    if pixels.dtype.kind in "ui" and pixels.dtype.itemsize > 1 and len(np.unique(pixels[::7, ::7])) < 24:
        levels = len(np.unique(pixels[::7, ::7]))
        findings.append(
            Finding(
                Fault.BIT_DEPTH,
                Verdict.CHECK,
                levels,
                f"only {levels} grey levels in {8 * pixels.dtype.itemsize} bits; was it scaled down?",
            )
        )
    return findings


def _sharpness(pixels: NDArray[Any]) -> float:
    """Return the strongest fine edges over the strongest coarse ones: falls as an image goes out of focus."""
    image = pixels.astype(np.float32)
    coarse = image[: image.shape[0] // 4 * 4, : image.shape[1] // 4 * 4]
    coarse = coarse.reshape(coarse.shape[0] // 4, 4, -1, 4).mean(axis=(1, 3))
    fine = np.percentile(np.abs(np.diff(image, axis=0))[::3, ::3], 99.5)
    return float(fine / max(np.percentile(np.abs(np.diff(coarse, axis=0)), 99.5), 1e-12))


def _of_nothing(seen: Detections | None) -> list[Finding]:
    """Judge an empty mask: right for an empty field, if anybody can tell."""
    if seen is None:
        return [Finding(Fault.EMPTY, Verdict.CHECK, 0, "the mask is empty")]
    there = int(np.count_nonzero(np.unique(seen.labels)))
    words = f"the mask is empty; the image seems to hold {there} beads"
    return [Finding(Fault.EMPTY, Verdict.CHECK, there, words)] if there else []


def _of_fit(
    outline: Outlines, edge: Edges, labels: NDArray[np.uint32], found: MaskFit, ask: Ask | None
) -> list[Finding]:
    if found.standing < FITS:
        other = _misplaced(outline, edge, labels, found)
        if other:
            return [other]
        agreed = ask is not None and overlap(labels, ask().labels) >= AGREES
        if found.standing < NOT and outline.beads >= FEWEST and not agreed:
            words = f"the mask fits nowhere on this image (fit {found.standing:.1f}, sure from {FITS:g} on)"
            return [Finding(Fault.OTHER_IMAGE, Verdict.BAD, found.standing, words)]
    placed = _placed(outline, edge, labels, found, ask)
    if not any(one.fault is Fault.SHIFTED for one in placed):
        found = replace(found, dy=0.0, dx=0.0)
    if any(one.verdict is Verdict.BAD for one in placed):
        return placed
    return placed + _of_beads(outline, edge, labels, found, ask)


def _misplaced(outline: Outlines, edge: Edges, labels: NDArray[np.uint32], found: MaskFit) -> Finding | None:
    """Look for the mask turned, mirrored or scaled, as which it fits far better."""
    need = max(FITS, 1.6 * found.standing)
    best: tuple[float, Finding] | None = None
    for name, turned in VARIANTS.items():
        seen = turned(labels)
        if seen.shape == labels.shape:
            fits = fit(outlines(np.ascontiguousarray(seen)), edge, reach_px=_reach(labels.shape)).standing
            if fits > max(need, best[0] if best else 0):
                best = fits, Finding(Fault.FLIPPED, Verdict.BAD, fits, f"the mask is turned over: {name}")
    for scale in SCALES:
        fits = fit(_moved(outline, labels.shape, scale, 0.0), edge, reach_px=_reach(labels.shape)).standing
        if fits > max(need, best[0] if best else 0):
            words = f"the mask fits when it is scaled by {scale:g}"
            best = fits, Finding(Fault.SCALED, Verdict.BAD, scale - 1, words)
    for turn in TURNS_DEG:
        fits = fit(_moved(outline, labels.shape, 1.0, turn), edge, reach_px=_reach(labels.shape)).standing
        if fits > max(need, best[0] if best else 0):
            best = (
                fits,
                Finding(Fault.TURNED, Verdict.BAD, turn, f"the mask fits when it is turned by {turn:g}°"),
            )
    return best[1] if best else None


def _moved(outline: Outlines, shape: tuple[int, ...], scale: float, turn_deg: float) -> Outlines:
    """Scale and turn outlines about the middle of the image."""
    middle_y, middle_x = shape[0] / 2, shape[1] / 2
    cos, sin = np.cos(np.radians(turn_deg)) * scale, np.sin(np.radians(turn_deg)) * scale
    y = np.rint(middle_y + cos * (outline.y - middle_y) + sin * (outline.x - middle_x)).astype(np.intp)
    x = np.rint(middle_x - sin * (outline.y - middle_y) + cos * (outline.x - middle_x)).astype(np.intp)
    keep = (y >= 0) & (y < shape[0]) & (x >= 0) & (x < shape[1])
    return replace(
        outline,
        y=y[keep],
        x=x[keep],
        normal_y=outline.normal_y[keep],
        normal_x=outline.normal_x[keep],
        owner=outline.owner[keep],
    )


def _placed(
    outline: Outlines, edge: Edges, labels: NDArray[np.uint32], found: MaskFit, ask: Ask | None
) -> list[Finding]:
    """Judge the shift, and how it changes over the image."""
    findings = []
    much = max(1.75, 0.12 * outline.diameter_px)
    beads = None if ask is None else by_beads(labels, ask().labels)
    # Under most marks of a mask that lies far off there are no beads, or others'.
    witness = beads if beads and beads.told_by >= WITNESSES * outline.beads else None

    def seen(move: NDArray[np.float64]) -> bool:
        return ask is None or may_move(labels, ask().labels, move)

    # Few beads with wide edges have a flat top of agreement, and its place is less sure.
    sure = found.standing >= FITS or found.here < found.coherence / 2
    doubt_px = (UNSURE if witness else UNSURE_ALONE) / max(found.standing, 1.0)
    if (
        sure
        and found.shift_px > max(0.8, doubt_px, 0.03 * outline.diameter_px)
        and not (witness and witness.shift_px + 2 * witness.doubt_px < found.shift_px / 2)
        and seen(np.array([[found.dy, 0, 0], [found.dx, 0, 0]]))
    ):
        words = f"the mask lies off by ({found.dy:+.1f}, {found.dx:+.1f}) px: move it by that in y and x"
        verdict = Verdict.BAD if found.shift_px >= much else Verdict.CHECK
        findings.append(Finding(Fault.SHIFTED, verdict, found.shift_px, words))
    drift = by_edges(outline, edge, found)
    denied = drift and witness and witness.spread_px + 2 * witness.doubt_px < drift.spread_px / 2
    told = drift and (sure or witness) and drift.spread_px > max(0.75, 3.3 * drift.doubt_px)
    if drift and told and not denied and seen(drift.move):
        findings.append(_drifted(drift, much))
    elif beads and beads.spread_px > max(0.5, 3.0 * beads.doubt_px):
        findings.append(_drifted(beads, much))
    return findings


def _drifted(drift: Drift, much_px: float) -> Finding:
    verdict = Verdict.BAD if drift.spread_px >= much_px else Verdict.CHECK
    if abs(drift.scale) > 0.012:
        words = f"the mask is {abs(drift.scale):.1%} too {'small' if drift.scale > 0 else 'large'}"
        return Finding(Fault.SCALED, verdict, drift.scale, words)
    if abs(drift.turn_deg) > 0.7:
        return Finding(Fault.TURNED, verdict, drift.turn_deg, f"the mask is turned by {drift.turn_deg:+.1f}°")
    words = f"the shift changes by {drift.spread_px:.1f} px (standard deviation) over the image"
    return Finding(Fault.DRIFT, verdict, drift.spread_px, words)


def _of_beads(
    outline: Outlines, edge: Edges, labels: NDArray[np.uint32], found: MaskFit, ask: Ask | None
) -> list[Finding]:
    findings = []
    seen = presence(outline, edge, bright=found.bright, dy=found.dy, dx=found.dx)
    count = merged(labels, outline)
    if count / outline.beads > 0.015:
        share = count / outline.beads
        words = f"{count} of {outline.beads} marks hold several beads by their shape"
        verdict = Verdict.BAD if share > 0.1 else Verdict.CHECK
        findings.append(Finding(Fault.MERGED, verdict, share, words))
    missed = _missed(outline, edge, moved(labels, found), found, seen.growth_px, ask)
    if missed.share > MISSED and missed.beads > (MISSED_OF_ALL if ask else MISSED_BY_EDGES) * outline.beads:
        words = f"beads without a mark: about {missed.beads}, beside {missed.beside} with one"
        verdict = Verdict.BAD if missed.share > 0.25 else Verdict.CHECK
        findings.append(Finding(Fault.MISSED, verdict, missed.share, words))
    nothing, judged = int(seen.unsupported.sum()), int(seen.judged.sum())
    if ask and nothing > 0.12 * judged:
        nothing = int((seen.unsupported & unseen(labels, ask().labels)).sum())
    if nothing > max(1, 0.12 * judged):
        words = f"{nothing} of {judged} marks have no edge under them"
        verdict = Verdict.BAD if nothing > 0.5 * judged else Verdict.CHECK
        findings.append(Finding(Fault.NOTHING_THERE, verdict, nothing / judged, words))
    return findings + _sized(outline, labels, seen.growth_px, ask)


def _sized(outline: Outlines, labels: NDArray[np.uint32], growth_px: float, ask: Ask | None) -> list[Finding]:
    """Judge whether marks are smaller or larger than beads, where edges and found beads agree on which."""
    found_px = growth(labels, ask().labels) * outline.diameter_px / 2 if ask else float("nan")
    shrunk, swollen = SHRUNK, SWOLLEN
    if np.isnan(found_px):
        shrunk, swollen = SHRUNK_BY_EDGES, SWOLLEN_BY_EDGES
    else:
        growth_px = (growth_px + found_px) / 2 if found_px * growth_px > 0 else 0.0
    share = growth_px / max(outline.diameter_px, 1.0)
    if growth_px >= shrunk[0] and share > shrunk[1]:
        words = f"the beads' edges lie {growth_px:.1f} px outside of the outlines"
        return [Finding(Fault.SHRUNK, Verdict.CHECK, growth_px, words)]
    if -growth_px >= swollen[0] and -share > swollen[1]:
        words = f"the beads' edges lie {-growth_px:.1f} px inside of the outlines"
        return [Finding(Fault.SWOLLEN, Verdict.CHECK, -growth_px, words)]
    return []


def _missed(
    outline: Outlines,
    edge: Edges,
    labels: NDArray[np.uint32],
    found: MaskFit,
    growth_px: float,
    ask: Ask | None,
) -> Unmarked:
    if ask is None:
        return Unmarked(suspected(outline, edge, labels, found, growth_px), outline.beads)
    return unmarked(outline, edge, labels, ask(), found, growth_px)
