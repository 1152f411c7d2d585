"""Comparison of one mask with its image: the faults that are found, and a verdict.

A mask is right where its outlines lie on edges of the image. The limits were chosen on simulated pairs with
planted faults; ``tests/benchmarks/bench_audit.py`` measures the faults found on others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from beadctl.audit.detections import Detections
from beadctl.audit.edges import trace_outlines
from beadctl.audit.faults import Fault, Finding, Verdict
from beadctl.audit.fit import NO_FIT, MaskFit, PairFeatures
from beadctl.audit.marks import judge_marks
from beadctl.audit.placement import LIMITS as PLACEMENT_LIMITS
from beadctl.audit.placement import find_transform, judge_placement
from beadctl.words import number_of


class Detector(Protocol):
    """Detects the beads in an image."""

    def __call__(self, pixels: NDArray[Any], *, low_confidence: bool) -> Detections:
        """Return the beads of an image, shape (H, W); those of low confidence too, if asked for."""


@dataclass(frozen=True)
class CheckLimits:
    """Limits for an image, and for a mask as a whole.

    ==============  =====  =====  ================================================================
    name            value  unit   why
    ==============  =====  =====  ================================================================
    side_px         16     px     images with a shorter side hold too little to compare
    cover           0.95   share  a mask that covers more of the image, with
    full_beads      2      -      at most so many beads, is no mask of beads; one of cells in contact may be
    other_image     6.25   -      below this fit score, a mask belongs to another image,
    better_shifts   0.001  share  unless at most so many shifts fit better than none: on the next rows of a
                                  crystal a mask fits nearly as well, so that no shift has a high score
    half            0.5    share  a mark that covers more of the image, with so many holes as `min_beads`, is
                                  the background of an inverted mask, or a layer of beads in one piece
    min_beads       3      -      fewer beads fit other images as well by chance,
    few_beads       6      -      and fewer than this may be too faint to fit: a reason to look, if no other
                                  image of the folder fits
    overlap         0.7    share  of what the model detects: a mask with more is not transformed
    saturated       0.05   share  of pixels at the camera's highest value, from which on to warn,
    overexposed     0.95   share  and from which on too little is left to call a mask bad
    full_scale      255    -      lowest value that is the highest one of a camera
    grey_levels     24     -      fewer grey levels in more than 8 bits came from fewer bits
    out_of_focus    0.35   share  an image with less of the folder's median sharpness is blurred
    focus_images    5      -      fewer images have no typical sharpness,
    focus_quartile  0.7    share  nor those whose lower quartile is below this share of the median
    ==============  =====  =====  ================================================================
    """

    side_px: int = 16
    cover: float = 0.95
    full_beads: int = 2
    half: float = 0.5
    other_image: float = 6.25
    better_shifts: float = 0.001
    min_beads: int = 3
    few_beads: int = 6
    overlap: float = 0.7
    saturated: float = 0.05
    overexposed: float = 0.95
    full_scale: int = 255
    grey_levels: int = 24
    out_of_focus: float = 0.35
    focus_images: int = 5
    focus_quartile: float = 0.7


LIMITS = CheckLimits()


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What was found of one pair.

    Attributes
    ----------
    beads, diameter_px : int, float
        Number of marked beads, and their median diameter, px.
    fit : MaskFit
        How the mask lies on the image.
    findings : tuple of Finding
        Its faults, the worst first.
    sharpness : float
        Ratio of fine to coarse edges of the image, to compare with images of the same kind; NaN if unknown.
    """

    beads: int
    diameter_px: float
    fit: MaskFit
    findings: tuple[Finding, ...]
    sharpness: float

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of the findings; `OK` without any."""
        return self.findings[0].verdict if self.findings else Verdict.OK

    def has(self, fault: Fault) -> bool:
        """Return whether there is a fault of this kind."""
        return any(finding.fault is fault for finding in self.findings)

    def plus(self, *more: Finding) -> CheckResult:
        """Return the result with more findings, the worst first."""
        findings = sorted((*self.findings, *more), key=lambda finding: -finding.verdict.rank)
        return replace(self, findings=tuple(findings))


def check(
    pixels: NDArray[Any], labels: NDArray[np.uint32], *, grey: bool = False, detector: Detector | None = None
) -> CheckResult:
    """Compare a label image with its image.

    Parameters
    ----------
    pixels : ndarray, shape (H, W)
        Grey values in any dtype.
    labels : ndarray of uint32, shape (H, W)
        Label image; 0 is background.
    grey : bool
        Whether the labels were thresholded from a mask of grey values.
    detector : callable, optional
        Detects beads in an image. Beads of low confidence may contradict a mask, but not an empty one.

    Examples
    --------
    >>> import numpy as np
    >>> from beadctl.simulate import render
    >>> scene = render(np.random.default_rng(1), 256)
    >>> check(scene.image, scene.labels).verdict.value
    'ok'
    >>> [finding.fault.value for finding in check(scene.image, np.roll(scene.labels, 5, axis=0)).findings]
    ['shifted']
    """
    findings = _judge_image(pixels)
    if min(labels.shape) < LIMITS.side_px:
        outlines = trace_outlines(labels)
        return CheckResult(outlines.bead_count, outlines.diameter_px, NO_FIT, tuple(findings), float("nan"))
    pair = PairFeatures.of(pixels, labels)
    blank = any(finding.fault is Fault.BLANK for finding in findings)
    if grey:
        message = "the mask holds grey values; it is thresholded at half its highest value"
        findings.append(Finding(Fault.GREY, Verdict.CHECK, message))
    cover = float((labels > 0).mean())
    if not pair.outlines.bead_count:
        findings += _judge_empty(detector(pixels, low_confidence=False) if detector else None)
    elif cover > LIMITS.cover and pair.outlines.bead_count <= LIMITS.full_beads:
        findings.append(Finding(Fault.FULL, Verdict.BAD, f"the mask covers {cover:.0%} of the image"))
    elif (holes := _holes(labels)) >= LIMITS.min_beads:
        message = (
            f"a mark over half of the image has {holes} holes: the mask is inverted, or its beads are one"
        )
        findings.append(Finding(Fault.FULL, Verdict.BAD, message))
    elif not blank and len(pair.outlines.y):
        pair = replace(pair, detections=detector(pixels, low_confidence=True) if detector else None)
        found = _judge_mask(pair)
        # What is left of an overexposed image may be noise.
        overexposed = _saturated(pixels) > LIMITS.overexposed
        findings += [replace(one, verdict=Verdict.CHECK) for one in found] if overexposed else found
    beads, diameter_px = pair.outlines.bead_count, pair.outlines.diameter_px
    return CheckResult(beads, diameter_px, pair.fit, (), _sharpness(pixels)).plus(*findings)


def _holes(labels: NDArray[np.uint32]) -> int:
    """Return the number of places that the largest mark encloses, if it covers over half of the image."""
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    if areas.max() <= LIMITS.half * labels.size:
        return 0
    parts, count = ndimage.label(labels != areas.argmax())
    edge = np.concatenate((parts[0], parts[-1], parts[:, 0], parts[:, -1]))
    return int(count - np.count_nonzero(np.unique(edge)))


def _judge_image(pixels: NDArray[Any]) -> list[Finding]:
    if np.isnan(pixels).all():
        return [Finding(Fault.BLANK, Verdict.BAD, "all pixels of the image are nan")]
    low, high = float(np.nanmin(pixels)), float(np.nanmax(pixels))
    if not high > low:
        return [Finding(Fault.BLANK, Verdict.BAD, f"all pixels of the image are {low:g}")]
    if pixels.dtype.kind not in "ui":
        return []
    findings = []
    saturated = _saturated(pixels)
    if saturated > LIMITS.saturated:
        message = f"{saturated:.0%} of the pixels are saturated at {high:g}"
        findings.append(Finding(Fault.SATURATED, Verdict.CHECK, message))
    bits, levels = 8 * pixels.dtype.itemsize, len(np.unique(pixels[::7, ::7]))
    if bits > 8 and levels < LIMITS.grey_levels:
        message = f"only {levels} grey levels in {bits} bits; was it converted from fewer bits?"
        findings.append(Finding(Fault.BIT_DEPTH, Verdict.CHECK, message))
    return findings


def _saturated(pixels: NDArray[Any]) -> float:
    """Return the share of pixels of the highest value, if that has all bits set, as 255, 4095 and 65535."""
    high = pixels.max()
    if pixels.dtype.kind not in "ui" or high < LIMITS.full_scale or not np.log2(high + 1.0).is_integer():
        return 0.0
    return float((pixels == high).mean())


def _sharpness(pixels: NDArray[Any]) -> float:
    """Return the strongest fine edges over the strongest coarse ones: falls as an image goes out of focus."""
    image = pixels.astype(np.float32)
    coarse = image[: image.shape[0] // 4 * 4, : image.shape[1] // 4 * 4]
    coarse = coarse.reshape(coarse.shape[0] // 4, 4, -1, 4).mean(axis=(1, 3))
    fine = np.percentile(np.abs(np.diff(image, axis=0))[::3, ::3], 99.5)
    return float(fine / max(np.percentile(np.abs(np.diff(coarse, axis=0)), 99.5), 1e-12))


def _judge_empty(detections: Detections | None) -> list[Finding]:
    """Judge an empty mask: right for an empty field, if a model can tell."""
    if detections is None:
        return [Finding(Fault.EMPTY, Verdict.CHECK, "the mask is empty")]
    message = f"the mask is empty; the image seems to hold {number_of(detections.count, 'bead')}"
    return [Finding(Fault.EMPTY, Verdict.CHECK, message)] if detections.count else []


def _judge_mask(pair: PairFeatures) -> list[Finding]:
    score, fits = pair.fit.score, PLACEMENT_LIMITS.score
    overlap = pair.detections.jaccard(pair.labels) if pair.detections else 0.0
    transform = find_transform(pair) if score < fits and overlap < LIMITS.overlap else None
    if transform:
        return [transform]
    beads, detections = pair.outlines.bead_count, pair.detections
    fitting = score >= LIMITS.other_image or pair.fit.better_shifts <= LIMITS.better_shifts
    confirmed = detections is not None and detections.agreement(pair.labels) is not None
    if beads >= LIMITS.min_beads and not fitting and not confirmed:
        message = f"the mask does not fit this image (fit {score:.1f}; masks that fit have {fits:g} or more)"
        unseen = detections is not None and not detections.see(beads)
        verdict = Verdict.CHECK if beads < LIMITS.few_beads or unseen else Verdict.BAD
        return [Finding(Fault.OTHER_IMAGE, verdict, message)]
    placement = judge_placement(pair)
    if any(finding.verdict is Verdict.BAD for finding in placement):
        return placement
    if not any(finding.fault is Fault.SHIFTED for finding in placement):
        pair = replace(pair, fit=replace(pair.fit, dy=0.0, dx=0.0))
    return placement + judge_marks(pair)
