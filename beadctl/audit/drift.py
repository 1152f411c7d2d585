"""How the best shift of a mask changes over the image, estimated from edges or from detected beads.

An affine displacement is fitted to the best shifts of parts of the image, or to the offsets of detections.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from beadctl.audit.detections import Detections
from beadctl.audit.fit import PairFeatures, subpixel_peak

Floats = NDArray[np.float64]
Labels = NDArray[np.uint32]


@dataclass(frozen=True)
class DriftLimits:
    """Limits for estimating a drift.

    =====================  =====  =====  ==============================================================
    name                   value  unit   why
    =====================  =====  =====  ==============================================================
    parts                  4      -      parts along each axis whose edges are compared
    reach_px               8      px     largest deviation of a part from the shift of the whole mask
    part_points            16     -      a part with fewer outline points is too uncertain
    part_agreement         0.5    share  a part agrees with its edges this well, relative to the mask
    min_parts              4      -      fewer parts do not determine an affine displacement
    min_beads              6      -      nor do fewer detections
    area_factor            1.6    ratio  a half hidden bead, larger or smaller by this, has another centre
    outlier_parts_px       1.0    px     parts within this residual are never outliers
    outlier_detections_px  0.5    px     nor are detections within this
    =====================  =====  =====  ==============================================================
    """

    parts: int = 4
    reach_px: int = 8
    part_points: int = 16
    part_agreement: float = 0.5
    min_parts: int = 4
    min_beads: int = 6
    area_factor: float = 1.6
    outlier_parts_px: float = 1.0
    outlier_detections_px: float = 0.5


LIMITS = DriftLimits()


@dataclass(frozen=True)
class Drift:
    """An affine displacement of a mask.

    Attributes
    ----------
    spread_px, error_px : float
        Root mean square deviation of the displacement from its mean, and its standard error, px.
    displacement : ndarray of float64, shape (2, 3)
        Of y and of x, px: in the middle of the image, and its change per pixel along y and along x.
    inliers : int
        Number of parts or beads that the displacement was fitted to.
    """

    spread_px: float
    error_px: float
    displacement: Floats
    inliers: int

    @property
    def shift_px(self) -> float:
        """Length of the shift in the middle of the image, px."""
        return float(np.hypot(*self.displacement[:, 0]))

    @property
    def scale(self) -> float:
        """By how much the mask is too small (positive) or too large: 0.03 is 3 %."""
        return float((self.displacement[0, 1] + self.displacement[1, 2]) / 2)

    @property
    def rotation_deg(self) -> float:
        """By how much to rotate the mask, degrees; positive is clockwise as displayed."""
        return float(np.degrees((self.displacement[0, 2] - self.displacement[1, 1]) / 2))


def drift_from_edges(pair: PairFeatures) -> Drift | None:
    """Estimate the drift from the best shifts of 4 x 4 parts of an image; None where too few parts fit."""
    outlines, fit, (height, width) = pair.outlines, pair.fit, pair.labels.shape
    parts, reach = LIMITS.parts, LIMITS.reach_px
    bead_part = (outlines.centre_y * parts / height).astype(np.intp).clip(0, parts - 1) * parts
    bead_part = bead_part + (outlines.centre_x * parts / width).astype(np.intp).clip(0, parts - 1)
    group = bead_part[outlines.bead_index]
    shift = round(fit.dy), round(fit.dx)
    means = _agreement_by_group(pair, shift, group, parts**2) * fit.sign
    points = np.bincount(group, minlength=parts**2)
    rows: list[tuple[float, ...]] = []
    for part, surface in enumerate(means):
        top, left = divmod(int(surface.argmax()), surface.shape[1])
        at_rim = {top, left} & {0, 2 * reach}
        weak = surface[top, left] < LIMITS.part_agreement * fit.agreement
        if points[part] < LIMITS.part_points or at_rim or weak:
            continue
        peak_y, peak_x = subpixel_peak(surface, top, left)
        inside = bead_part == part
        centre = float(outlines.centre_y[inside].mean()), float(outlines.centre_x[inside].mean())
        weight = float(np.sqrt(points[part]) * surface[top, left])
        rows.append((*centre, top - reach + peak_y + shift[0], left - reach + peak_x + shift[1], weight))
    if len(rows) < LIMITS.min_parts:
        return None
    y, x, dy, dx, weight = np.array(rows).T
    places = np.array([y - height / 2, x - width / 2])
    return _fit_affine(places, np.array([dy, dx]), weight, LIMITS.outlier_parts_px)


def drift_from_detections(labels: Labels, detections: Detections) -> Drift | None:
    """Estimate the drift from the offsets of detections from marks, uint32 (H, W); None for fewer than six.

    Beads that the border cuts are left out: mark and detection may end at different places there.
    """
    marks, detected = detections.match(labels, LIMITS.area_factor)
    whole = ~(np.isin(marks, _at_border(labels)) | np.isin(detected, _at_border(detections.labels)))
    if whole.sum() < LIMITS.min_beads:
        return None
    places = _centroids(labels, marks[whole])
    moves = _centroids(detections.labels, detected[whole]) - places
    middle = np.array(labels.shape)[:, None] / 2
    return _fit_affine(places - middle, moves, np.ones(places.shape[1]), LIMITS.outlier_detections_px)


def _agreement_by_group(
    pair: PairFeatures, shift: tuple[int, int], group: NDArray[np.intp], groups: int
) -> Floats:
    """Return mean edges along normals, (groups, i, j), of outlines moved by shift + (i, j) - reach px."""
    outlines, reach = pair.outlines, LIMITS.reach_px
    pad = reach + max(map(abs, shift))
    row_px = pair.labels.shape[1] + 2 * pad
    edge_y, edge_x = np.pad(pair.edges.y, pad).ravel(), np.pad(pair.edges.x, pad).ravel()
    points = np.maximum(np.bincount(group, minlength=groups), 1)
    means = np.zeros((groups, 2 * reach + 1, 2 * reach + 1))
    place = (outlines.y + pad + shift[0] - reach) * row_px + outlines.x + pad + shift[1] - reach
    for i, j in np.ndindex(means.shape[1:]):
        at = place + (i * row_px + j)
        along = outlines.normal_y * edge_y[at] + outlines.normal_x * edge_x[at]
        means[:, i, j] = np.bincount(group, along, groups) / points
    return means


def _centroids(labels: Labels, numbers: Labels) -> Floats:
    return np.array(ndimage.center_of_mass(labels > 0, labels, numbers)).T


def _at_border(labels: Labels) -> Labels:
    return np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))


def _fit_affine(places: Floats, moves: Floats, weight: Floats, outlier_px: float) -> Drift:
    """Fit moves at places relative to the middle of the image, both of shape (2, n), without outliers."""
    design = np.column_stack([np.ones(len(weight)), *places])
    displacement = np.zeros((2, 3))
    residual = np.zeros(len(weight))
    keep = np.ones(len(weight), bool)
    for _ in range(4):
        # Outliers are parts that fit a neighbour's edges, and marks matched with the bead beside their own.
        w = weight[keep, None]
        displacement = np.asarray(np.linalg.lstsq(design[keep] * w, moves[:, keep].T * w, rcond=1e-6)[0]).T
        residual = np.hypot(*(moves - displacement @ design.T))
        keep = residual <= max(outlier_px, 2.5 * float(np.median(residual)))
    moments = np.cov(places[:, keep])
    variance = float(sum(slope @ moments @ slope for slope in displacement[:, 1:]))
    error = np.sqrt(np.mean(np.minimum(residual, LIMITS.reach_px) ** 2) * 2 / len(residual))
    return Drift(max(variance, 0.0) ** 0.5, float(error), displacement, int(keep.sum()))
