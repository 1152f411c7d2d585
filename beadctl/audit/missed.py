"""Beads that nobody marked: what edges and grey values suspect, and what a finder of beads says of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal

from beadctl.audit.detections import Detections, growth
from beadctl.audit.edges import Edges, Outlines, outlines
from beadctl.audit.fit import MaskFit
from beadctl.audit.support import support

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
# Sizes of beads that are looked for where nothing is marked, as quantiles of those that are.
QUANTILES = (0.1, 0.5, 0.9)
# How alike two sizes are found by one ring.
ALIKE = 1.3
# How strong the edges of a missed bead are at least, and how well they fit its ring, in shares of the marked
# ones' median.
LEAST_STRENGTH, LEAST_FIT = 0.4, 0.7
# Diameters of the smallest and the largest bead that counts as marked: quantiles, a mask has strays.
SMALLEST, LARGEST = 0.05, 0.95
# An unmarked part of what was found is a bead if a circle of this share of the smallest diameter fits in,
FITS = 0.75
# what thinner rims leave of it is within these shares of the smallest and of the largest diameter,
RIM, FROM, TO = 0.6, 0.6, 1.5
# it has these shares of the marked ones' contrast and agreement with edges,
LEAST_CONTRAST, LEAST_SUPPORT = 0.4, 0.4
# and the largest circle inside fills as much of it as of the least round marks, in this share.
LEAST_ROUND, OF_ROUND = 0.05, 0.8
# Where such a share of the marked ones has edges of the other sign, both signs count.
MIXED = 0.1
# Of the finder's confidence in the middling bead that has a mark, the share that one without needs.
LEAST_CONFIDENCE = 0.89
# By this much and less marks are drawn smaller as anybody would.
RIM_PX = 0.75


@dataclass(frozen=True)
class Unmarked:
    """Beads without a mark, and what they are held against.

    Attributes
    ----------
    beads : int
        Unmarked beads.
    beside : int
        Marks of which the same look saw at least a half.
    """

    beads: int
    beside: int

    @property
    def share(self) -> float:
        """Unmarked beads among all."""
        return self.beads / max(self.beads + self.beside, 1)


def suspected(
    outline: Outlines, edge: Edges, labels: NDArray[np.uint32], found: MaskFit, growth_px: float
) -> int:
    """Count the places without a mark that have the edges of a bead.

    A circle of usual size about them lies on edges about as well, and as strong, as for the middling marked
    bead of that size. Of letters and of gaps among beads some are among them.

    Parameters
    ----------
    outline, edge : Outlines, Edges
        Of one image, H x W px.
    labels : ndarray of uint32, shape (H, W)
        Its label image, moved to where it lies.
    found : MaskFit
        How it lies.
    growth_px : float
        How far edges lie outside of outlines, px.
    """
    sign = -1 if found.bright else 1
    away = growth_px + 0.5
    judged = np.bincount(outline.owner, minlength=outline.beads) >= 8
    height, width = labels.shape
    cy = np.clip(np.rint(outline.centre_y + found.dy).astype(np.intp), 0, height - 1)
    cx = np.clip(np.rint(outline.centre_x + found.dx).astype(np.intp), 0, width - 1)
    free = ~ndimage.binary_dilation(labels > 0, iterations=2)
    peaks = np.zeros(labels.shape, bool)
    for radius, response in _rings(outline, edge, sign, away):
        own = outline.radius_px + away
        alike = (own < radius * ALIKE) & (own > radius / ALIKE) & judged
        alike &= (cy > radius) & (cy < height - radius) & (cx > radius) & (cx < width - radius)
        if alike.sum() < 3:
            continue
        # The centre of a mask is that of its bead to a pixel or two.
        level = float(np.median(_highest_near(response, cy[alike], cx[alike])))
        good = free & (response >= max(LEAST_FIT * level, 0.15))
        margin = int(radius)
        good[:margin], good[height - margin :], good[:, :margin], good[:, width - margin :] = (False,) * 4
        if not good.any():
            continue
        good &= response == ndimage.maximum_filter(response, size=2 * max(2, int(0.8 * radius)) + 1)
        y, x = np.nonzero(good)
        if not len(y):
            continue
        # A faint speck may be as round as a bead, but is not as strong.
        known = sign * on_circles(edge, cy[alike], cx[alike], radius)
        enough = sign * on_circles(edge, y, x, radius) >= LEAST_STRENGTH * np.median(known)
        peaks[y[enough], x[enough]] = True
    kept: list[tuple[int, int]] = []
    least = max(3.0, 0.5 * outline.diameter_px)
    for place in np.argwhere(peaks).tolist():
        if all(np.hypot(place[0] - a, place[1] - b) >= least for a, b in kept[-200:]):
            kept.append((place[0], place[1]))
    return len(kept)


def unmarked(
    outline: Outlines,
    edge: Edges,
    labels: NDArray[np.uint32],
    seen: Detections,
    found: MaskFit,
    growth_px: float,
) -> Unmarked:
    """Count the parts of what was found that no mark covers and that look like the marked beads.

    Parts, not beads: in a heap what was found may be one bead for ten marks, and the hole that a missing mark
    leaves has the size of the bead.

    Parameters
    ----------
    outline, edge, labels, found, growth_px
        As for `suspected`.
    seen : Detections
        The beads that were found in the image.
    """
    there = seen.labels
    numbers = np.unique(labels[labels > 0])
    # Beads may be found wider or narrower than they are marked: what is found is measured by what is found.
    wider = float(np.nan_to_num(growth(labels, there)))
    narrower = min(1.0, 1.0 + wider)
    half = 0.5 * narrower**2
    beside = int((ndimage.mean(there > 0, labels, numbers) >= half).sum()) if len(numbers) else 0
    smallest = narrower * _smallest_px(outline)
    wider_px = wider * outline.diameter_px / 2
    covered = labels > 0
    if wider_px > RIM_PX:
        covered = ndimage.binary_dilation(covered, iterations=round(wider_px))
    free = (there > 0) & ~covered
    rim = RIM * smallest / 2
    depth = ndimage.distance_transform_edt(free)
    thick = depth > rim
    if not thick.any():
        return Unmarked(0, beside)
    parts, count = ndimage.label(free & (ndimage.distance_transform_edt(~thick) <= rim))
    every = np.arange(1, count + 1)
    diameter_px = np.sqrt(4 / np.pi * np.bincount(parts.ravel(), minlength=count + 1)[1:])
    largest = 2 * float(np.quantile(outline.radius_px, LARGEST))
    good = (diameter_px >= FROM * smallest) & (diameter_px <= TO * largest)
    inside = ndimage.maximum(depth, parts, every)
    good &= 2 * inside >= FITS * smallest
    good &= (2 * inside / diameter_px) ** 2 >= OF_ROUND * _roundness(labels)
    under = seen.confidence[np.unique(there[(labels > 0) & (there > 0)])]
    sure = float(np.median(under)) if len(under) else 0.0
    good &= ndimage.mean(seen.confidence[there], parts, every) >= LEAST_CONFIDENCE * sure
    contrast, usual = _contrast(edge.grey, labels, (labels == 0) & (there == 0))
    good &= ndimage.mean(contrast, parts, every) >= LEAST_CONTRAST * usual
    sign = -1 if found.bright else 1
    own = support(outline, edge, growth_px + 0.5, found.dy, found.dx, sign)
    usual_support = float(np.median(np.abs(own)))
    away_px = growth_px + 0.5 - wider_px
    theirs = support(outlines(parts.astype(np.uint32)), edge, away_px, 0.0, 0.0, sign)
    if (own < -LEAST_SUPPORT * usual_support).mean() > MIXED:
        # Above and below the plane of focus beads of one field may be bright and dark.
        theirs = np.abs(theirs)
    good &= theirs >= LEAST_SUPPORT * usual_support
    return Unmarked(int(good.sum()), beside)


def _smallest_px(outline: Outlines) -> float:
    return 2 * float(np.quantile(outline.radius_px, SMALLEST))


def _roundness(labels: NDArray[np.uint32]) -> float:
    """Return the share of its area that the largest circle inside a mark fills, of the least round ones."""
    boxes = ndimage.find_objects(labels)
    fills = []
    for number, box in enumerate(boxes, start=1):
        if box is not None:
            own = np.pad(labels[box] == number, 1)
            inside = float(ndimage.distance_transform_edt(own).max())
            fills.append(np.pi * inside**2 / np.count_nonzero(own))
    return float(np.quantile(fills, LEAST_ROUND)) if fills else 0.0


def _contrast(
    grey: NDArray[np.float32], labels: NDArray[np.uint32], background: Mask
) -> tuple[NDArray[np.float32], float]:
    """Return how far each pixel is from the background, and how far the middling marked bead."""
    level = float(np.median(grey[background])) if background.any() else float(np.median(grey))
    numbers = np.unique(labels[labels > 0])
    usual = float(np.median(np.abs(ndimage.mean(grey, labels, numbers) - level))) if len(numbers) else 0.0
    return np.abs(grey - np.float32(level)), usual


def _highest_near(response: NDArray[np.float32], y: NDArray[np.intp], x: NDArray[np.intp]) -> Floats:
    """Return the highest value within a pixel of each point, shape (points,)."""
    height, width = response.shape
    steps = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
    near = [response[np.clip(y + a, 0, height - 1), np.clip(x + b, 0, width - 1)] for a, b in steps]
    return np.asarray(np.max(near, axis=0), np.float64)


def _rings(
    outline: Outlines, edge: Edges, sign: int, away_px: float
) -> list[tuple[float, NDArray[np.float32]]]:
    """Return, for some radii, the mean edge along the normals of a circle about each pixel."""
    radii = np.maximum(np.quantile(outline.radius_px, QUANTILES) + away_px, 1.0)
    chosen = [float(radii[1])]
    for radius in (float(radii[0]), float(radii[2])):
        if max(radius / chosen[0], chosen[0] / radius) > ALIKE:
            chosen.append(radius)
    found = []
    for radius in chosen:
        span = np.arange(-int(radius) - 1, int(radius) + 2)
        distance = np.hypot(span[:, None], span[None, :])
        ring = np.clip(1.0 - np.abs(distance - radius), 0.0, 1.0)
        ring /= ring.sum() * np.maximum(distance, 0.5)
        # Turned over, since a convolution turns its kernel.
        total = sum(
            signal.oaconvolve(slope, (ring * -along).astype(np.float32), mode="same")
            for slope, along in ((edge.y, span[:, None]), (edge.x, span[None, :]))
        )
        found.append((radius, np.asarray(sign * total, np.float32)))
    return found


def on_circles(edge: Edges, y: NDArray[np.intp], x: NDArray[np.intp], radius_px: float) -> Floats:
    """Return the mean change of grey along the normals of circles about points, per px, shape (points,)."""
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    away = np.array([radius_px - 1.0, radius_px + 1.0])[:, None]
    at = np.array(
        [y[:, None, None] + away * np.sin(angle), x[:, None, None] + away * np.cos(angle)], np.float32
    )
    inner, outer = np.moveaxis(ndimage.map_coordinates(edge.grey, at, order=1, mode="nearest"), 1, 0)
    return np.asarray((outer - inner).mean(axis=1) / 2, np.float64)
