"""Beads without a mark, found by edges and grey values or by a model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal

from beadctl.audit.detections import Detections
from beadctl.audit.edges import EdgeMap, Outlines, trace_outlines
from beadctl.audit.fit import PairFeatures, mean_support, shift_labels

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MissedLimits:
    """Limits for missed beads: by rings of edges, and among the parts of detections that no mark covers.

    ==============  =============  ========  ===============================================================
    name            value          unit      why
    ==============  =============  ========  ===============================================================
    ring_radii      0.1, 0.5, 0.9  quantile  radii of the marked beads that are searched for
    ring_alike      1.3            ratio     one ring finds beads of up to this ratio of radii
    ring_response   0.7            share     a missed bead fits its ring this well, relative to marked ones
    ring_floor      0.15           -         and at least this well, out of 1
    contrast        0.4            share     a missed bead has this share of the marked ones' contrast
    support         0.4            share     and of their support by edges,
    confidence      0.89           share     and of the median confidence of the detections under marks
    sizes           0.05, 0.95     quantile  of the smallest and largest marked bead; masks contain outliers
    rim             0.6            share     parts thinner than this share of the smallest diameter are cut
    min_diameter    0.6            share     a bead has this share of the smallest diameter,
    max_diameter    1.5            share     at most this share of the largest one,
    inscribed       0.75           share     and holds a circle of this share of the smallest one
    least_round     0.05           quantile  roundness of the least round marks
    roundness       0.8            share     a bead has this share of their roundness
    mixed           0.1            share     from this share of marks of the other polarity on, both count
    drawn_small_px  0.75           px        marks are commonly drawn too small by up to this
    ==============  =============  ========  ===============================================================
    """

    ring_radii: tuple[float, float, float] = (0.1, 0.5, 0.9)
    ring_alike: float = 1.3
    ring_response: float = 0.7
    ring_floor: float = 0.15
    contrast: float = 0.4
    support: float = 0.4
    confidence: float = 0.89
    sizes: tuple[float, float] = (0.05, 0.95)
    rim: float = 0.6
    min_diameter: float = 0.6
    max_diameter: float = 1.5
    inscribed: float = 0.75
    least_round: float = 0.05
    roundness: float = 0.8
    mixed: float = 0.1
    drawn_small_px: float = 0.75


LIMITS = MissedLimits()


@dataclass(frozen=True)
class MissedBeads:
    """Numbers of beads without a mark, and of marks of which the same method found at least a half."""

    missed: int
    marked: int

    @property
    def share(self) -> float:
        """Missed beads among all."""
        return self.missed / max(self.missed + self.marked, 1)


def missed_by_edges(pair: PairFeatures, growth_px: float) -> MissedBeads:
    """Count the places without a mark that have the ring of edges of a bead.

    A circle of a typical radius there lies on edges about as well, and as strong, as for the marked beads of
    that size. Letters and gaps between beads may be counted too. Edges lie `growth_px` outside of outlines.
    """
    outlines, edges, fit, away_px = pair.outlines, pair.edges, pair.fit, growth_px + 0.5
    labels = shift_labels(pair.labels, fit)
    height, width = labels.shape
    cy = np.clip(np.rint(outlines.centre_y + fit.dy).astype(np.intp), 0, height - 1)
    cx = np.clip(np.rint(outlines.centre_x + fit.dx).astype(np.intp), 0, width - 1)
    free = ~ndimage.binary_dilation(labels > 0, iterations=2)
    own = outlines.radius_px + away_px
    peaks = np.zeros(labels.shape, bool)
    for radius in _ring_radii(outlines, away_px):
        response = _ring_response(edges, radius, fit.sign)
        alike = (own < radius * LIMITS.ring_alike) & (own > radius / LIMITS.ring_alike) & outlines.judged
        alike &= (cy > radius) & (cy < height - radius) & (cx > radius) & (cx < width - radius)
        if alike.sum() < 3:
            continue
        # The centroid of a mark may lie a pixel or two off the centre of its bead.
        highest = ndimage.maximum_filter(response, 3, mode="nearest")
        level = float(np.median(highest[cy[alike], cx[alike]]))
        good = free & (response >= max(LIMITS.ring_response * level, LIMITS.ring_floor))
        margin = int(radius)
        good[:margin], good[height - margin :], good[:, :margin], good[:, width - margin :] = (False,) * 4
        if not good.any():
            continue
        good &= response == ndimage.maximum_filter(response, size=2 * max(2, int(0.8 * radius)) + 1)
        y, x = np.nonzero(good)
        # Faint debris may be as round as a bead.
        usual = np.median(fit.sign * _ring_contrast(edges, cy[alike], cx[alike], radius))
        strong = fit.sign * _ring_contrast(edges, y, x, radius) >= LIMITS.contrast * usual
        peaks[y[strong], x[strong]] = True
    return MissedBeads(_count_apart(peaks, max(3.0, 0.5 * outlines.diameter_px)), outlines.bead_count)


def _count_apart(peaks: NDArray[np.bool_], least_px: float) -> int:
    """Count the peaks that lie at least this far from those counted before."""
    kept: list[list[int]] = []
    for y, x in np.argwhere(peaks).tolist():
        if all(np.hypot(y - a, x - b) >= least_px for a, b in kept[-200:]):
            kept.append([y, x])
    return len(kept)


def missed_by_detections(pair: PairFeatures, detections: Detections, growth_px: float) -> MissedBeads:
    """Count the parts of detections that no mark covers and that look like the marked beads.

    Parts, not detections: in a cluster one detection may cover ten marks, and the hole of a missing mark has
    the size of its bead. Edges lie `growth_px` outside of outlines.
    """
    outlines, edges, fit, detected = pair.outlines, pair.edges, pair.fit, detections.labels
    labels = shift_labels(pair.labels, fit)
    numbers = np.unique(labels[labels > 0])
    # Normalise by the detector's own size bias.
    growth = float(np.nan_to_num(detections.relative_growth(labels)))
    narrower = min(1.0, 1.0 + growth)
    half = 0.5 * narrower**2
    marked = int((ndimage.mean(detected > 0, labels, numbers) >= half).sum()) if len(numbers) else 0
    smallest, largest = (2 * np.quantile(outlines.radius_px, LIMITS.sizes) * (narrower, 1.0)).tolist()
    detected_growth_px = growth * outlines.diameter_px / 2
    covered = labels > 0
    if detected_growth_px > LIMITS.drawn_small_px:
        covered = ndimage.binary_dilation(covered, iterations=round(detected_growth_px))
    free = (detected > 0) & ~covered
    rim = LIMITS.rim * smallest / 2
    depth = ndimage.distance_transform_edt(free)
    thick = depth > rim
    if not thick.any():
        return MissedBeads(0, marked)
    parts, count = ndimage.label(free & (ndimage.distance_transform_edt(~thick) <= rim))
    index = np.arange(1, count + 1)
    diameter_px = np.sqrt(4 / np.pi * np.bincount(parts.ravel(), minlength=count + 1)[1:])
    good = diameter_px >= LIMITS.min_diameter * smallest
    good &= diameter_px <= LIMITS.max_diameter * largest
    inscribed_px = 2 * ndimage.maximum(depth, parts, index)
    good &= inscribed_px >= LIMITS.inscribed * smallest
    good &= (inscribed_px / diameter_px) ** 2 >= LIMITS.roundness * _roundness(labels)
    under_marks = detections.confidence[np.unique(detected[(labels > 0) & (detected > 0)])]
    confidence = float(np.median(under_marks)) if len(under_marks) else 0.0
    good &= ndimage.mean(detections.confidence[detected], parts, index) >= LIMITS.confidence * confidence
    contrast, usual = _contrast(edges.smoothed, labels, (labels == 0) & (detected == 0))
    good &= ndimage.mean(contrast, parts, index) >= LIMITS.contrast * usual
    own = mean_support(outlines, edges, growth_px + 0.5, (fit.dy, fit.dx), fit.sign)
    least = LIMITS.support * float(np.median(np.abs(own)))
    away_px = growth_px + 0.5 - detected_growth_px
    support = mean_support(trace_outlines(parts.astype(np.uint32)), edges, away_px, (0.0, 0.0), fit.sign)
    if (own < -least).mean() > LIMITS.mixed:
        # Above and below the plane of focus, beads of one field may be bright and dark.
        support = np.abs(support)
    good &= support >= least
    return MissedBeads(int(good.sum()), marked)


def _roundness(labels: NDArray[np.uint32]) -> float:
    """Return the share of its area that the largest inscribed circle fills, of the least round marks."""
    fills = []
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is not None:
            own = np.pad(labels[box] == number, 1)
            radius = float(ndimage.distance_transform_edt(own).max())
            fills.append(np.pi * radius**2 / np.count_nonzero(own))
    return float(np.quantile(fills, LIMITS.least_round)) if fills else 0.0


def _contrast(
    grey: NDArray[np.float32], labels: NDArray[np.uint32], background: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], float]:
    """Return the distance of each pixel from the background's median, and the median over the marks."""
    level = float(np.median(grey[background])) if background.any() else float(np.median(grey))
    numbers = np.unique(labels[labels > 0])
    usual = float(np.median(np.abs(ndimage.mean(grey, labels, numbers) - level))) if len(numbers) else 0.0
    return np.abs(grey - np.float32(level)), usual


def _ring_radii(outlines: Outlines, away_px: float) -> list[float]:
    """Return the median radius, and the small and large ones that its ring does not find, px."""
    radii = np.quantile(outlines.radius_px, LIMITS.ring_radii) + away_px
    small, median, large = np.maximum(radii, 1.0).tolist()
    return [median, *(r for r in (small, large) if max(r / median, median / r) > LIMITS.ring_alike)]


def _ring_response(edges: EdgeMap, radius: float, sign: int) -> NDArray[np.float32]:
    """Return the mean edge along the normals of a circle about each pixel, shape (H, W)."""
    span = np.arange(-int(radius) - 1, int(radius) + 2)
    distance = np.hypot(span[:, None], span[None, :])
    ring = np.clip(1.0 - np.abs(distance - radius), 0.0, 1.0)
    ring /= ring.sum() * np.maximum(distance, 0.5)
    # Negative: a convolution mirrors its kernel.
    total = sum(
        signal.oaconvolve(slope, (ring * -along).astype(np.float32), mode="same")
        for slope, along in ((edges.y, span[:, None]), (edges.x, span[None, :]))
    )
    return np.asarray(sign * total, np.float32)


def _ring_contrast(edges: EdgeMap, y: NDArray[np.intp], x: NDArray[np.intp], radius_px: float) -> Floats:
    """Return the mean gradient of grey along the normals of circles about points, per px, shape (points,)."""
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    away = np.array([radius_px - 1.0, radius_px + 1.0])[:, None]
    rows, columns = y[:, None, None] + away * np.sin(angle), x[:, None, None] + away * np.cos(angle)
    at = np.array([rows, columns], np.float32)
    inner, outer = np.moveaxis(ndimage.map_coordinates(edges.smoothed, at, order=1, mode="nearest"), 1, 0)
    return np.asarray((outer - inner).mean(axis=1) / 2, np.float64)
