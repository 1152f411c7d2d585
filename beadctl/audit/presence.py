"""Beads with nothing under them, beads that nobody marked, and outlines inside or outside the edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from beadctl.audit.edges import Edges, Outlines

Floats = NDArray[np.float64]
# Sizes of beads that are looked for where nothing is marked, as quantiles of those that are.
QUANTILES = (0.1, 0.5, 0.9)
# How alike two sizes are found by one ring.
ALIKE = 1.3
# How strong the edges of a missed bead are at least, and how well they fit its ring, in shares of the marked
# ones' median.
LEAST_STRENGTH, LEAST_FIT = 0.4, 0.7
# Share of the usual agreement with edges below which there is nothing under a mark.
LEAST_SUPPORT = 0.25


@dataclass(frozen=True)
class Presence:
    """What the marked beads and the image have of each other.

    Attributes
    ----------
    unsupported : int
        Marked beads whose outline lies on no edge.
    judged : int
        Marked beads that could be judged.
    missed : tuple of (int, int)
        Places (y, x) without a mark that have the edges of a bead, px. Of letters and of gaps among beads
        some are among them.
    growth_px : float
        How far the edges lie outside of the outlines (above 0: masks are shrunk), px.
    """

    unsupported: int
    judged: int
    missed: tuple[tuple[int, int], ...]
    growth_px: float


def along_normals(
    outline: Outlines, edge: Edges, away_px: float, dy: float, dx: float
) -> NDArray[np.float32]:
    """Return the edge along the normal `away_px` outside of every point of outlines moved by (dy, dx)."""
    y = outline.y + dy + away_px * outline.normal_y
    x = outline.x + dx + away_px * outline.normal_x
    at = np.array([y, x], np.float32)
    parts = [ndimage.map_coordinates(slope, at, order=1, mode="constant") for slope in (edge.y, edge.x)]
    return np.asarray(outline.normal_y * parts[0] + outline.normal_x * parts[1], np.float32)


def growth_px(outline: Outlines, edge: Edges, bright: bool, dy: float, dx: float) -> float:
    """Return how far edges lie outside of the outlines, px: the best of steps up to half a radius."""
    sign = -1 if bright else 1
    reach = float(np.clip(outline.diameter_px / 4, 2.0, 12.0))
    steps = np.arange(-reach, reach + 0.25, 0.5)
    means = np.array([float(along_normals(outline, edge, step, dy, dx).mean()) * sign for step in steps])
    # The outermost pixels' centres lie half a pixel inside the outline.
    return float(steps[int(means.argmax())]) - 0.5


def _support(outline: Outlines, edge: Edges, away_px: float, dy: float, dx: float, sign: int) -> Floats:
    number = np.bincount(outline.owner, minlength=outline.beads)
    total = np.bincount(outline.owner, along_normals(outline, edge, away_px, dy, dx), outline.beads)
    return np.asarray(sign * total / np.maximum(number, 1), np.float64)


def _rings(
    outline: Outlines, edge: Edges, sign: int, away_px: float
) -> list[tuple[float, NDArray[np.float32]]]:
    """Return, for some radii, the mean edge along the normals of a circle about each pixel."""
    radii = np.maximum(np.quantile(outline.radius_px, QUANTILES) + away_px, 1.0)
    chosen = [float(radii[1])]
    for radius in (float(radii[0]), float(radii[2])):
        if max(radius / chosen[0], chosen[0] / radius) > ALIKE:
            chosen.append(radius)
    largest = int(np.ceil(max(chosen))) + 2
    shape = [fft.next_fast_len(length + largest, real=True) for length in edge.y.shape]
    slopes = [fft.rfft2(slope, shape) for slope in (edge.y, edge.x)]
    found = []
    span_y, span_x = (np.fft.fftfreq(length, 1 / length) for length in shape)
    distance = np.hypot(span_y[:, None], span_x[None, :])
    for radius in chosen:
        ring = np.clip(1.0 - np.abs(distance - radius), 0.0, 1.0)
        ring /= ring.sum()
        safe = np.maximum(distance, 0.5)
        total = np.zeros((shape[0], shape[1] // 2 + 1), np.complex64)
        for span, slope in ((span_y[:, None], slopes[0]), (span_x[None, :], slopes[1])):
            total += np.conj(fft.rfft2((ring * span / safe).astype(np.float32))) * slope
        height, width = edge.y.shape
        found.append((radius, np.asarray(sign * fft.irfft2(total, shape)[:height, :width], np.float32)))
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


def presence(
    outline: Outlines, edge: Edges, labels: NDArray[np.uint32], *, bright: bool, dy: float, dx: float
) -> Presence:
    """Compare the marked beads with the image, once the mask is moved by (dy, dx).

    A marked bead is supported where its outline, moved by up to 1.5 px more, lies on edges a quarter as well
    as the middling one does. A place is a missed bead where, outside of every mask, a circle of usual size
    lies on edges about as well and as strong as for the middling marked bead of that size.

    Parameters
    ----------
    outline, edge, labels
        Of one image, H x W px.
    bright : bool
        Polarity.
    dy, dx : float
        Where the mask lies on the image.
    """
    sign = -1 if bright else 1
    grown = growth_px(outline, edge, bright, dy, dx)
    away = grown + 0.5
    number = np.bincount(outline.owner, minlength=outline.beads)
    judged = number >= 8
    nudges = [(0.0, 0.0), (1.5, 0.0), (-1.5, 0.0), (0.0, 1.5), (0.0, -1.5)]
    # Of either sign: above and below the plane of focus beads of one field may be bright and dark.
    best = np.max([np.abs(_support(outline, edge, away, dy + a, dx + b, sign)) for a, b in nudges], axis=0)
    height, width = labels.shape
    usual = float(np.median(best[judged])) if judged.any() else 0.0
    unsupported = judged & (best < LEAST_SUPPORT * usual)
    moved_y, moved_x = round(dy), round(dx)
    marked = ndimage.shift(labels > 0, (moved_y, moved_x), order=0) if moved_y or moved_x else labels > 0
    cy = np.clip(np.rint(outline.centre_y + dy).astype(np.intp), 0, height - 1)
    cx = np.clip(np.rint(outline.centre_x + dx).astype(np.intp), 0, width - 1)
    free = ~ndimage.binary_dilation(marked, iterations=2)
    peaks = np.zeros(labels.shape, bool)
    for radius, response in _rings(outline, edge, sign, away):
        own = outline.radius_px + away
        alike = (own < radius * ALIKE) & (own > radius / ALIKE) & judged
        inside = (cy > radius) & (cy < height - radius) & (cx > radius) & (cx < width - radius)
        if (alike & inside).sum() < 3:
            continue
        # The centre of a mask is that of its bead to a pixel or two.
        near = ndimage.maximum_filter(response, size=3)
        level = float(np.median(near[cy, cx][alike & inside]))
        top = (response == ndimage.maximum_filter(response, size=2 * max(2, int(0.8 * radius)) + 1)) & free
        top &= response >= max(LEAST_FIT * level, 0.15)
        margin = int(radius)
        top[:margin], top[height - margin :], top[:, :margin], top[:, width - margin :] = (False,) * 4
        y, x = np.nonzero(top)
        if not len(y):
            continue
        # A faint speck may be as round as a bead, but is not as strong.
        known = sign * on_circles(edge, cy[alike & inside], cx[alike & inside], radius)
        enough = sign * on_circles(edge, y, x, radius) >= LEAST_STRENGTH * np.median(known)
        peaks[y[enough], x[enough]] = True
    y, x = np.nonzero(peaks)
    kept: list[tuple[int, int]] = []
    least = max(3.0, 0.5 * outline.diameter_px)
    for place in zip(y.tolist(), x.tolist(), strict=True):
        if all(np.hypot(place[0] - a, place[1] - b) >= least for a, b in kept[-200:]):
            kept.append(place)
    return Presence(int(unsupported.sum()), int(judged.sum()), tuple(kept), grown)


def merged(labels: NDArray[np.uint32], outline: Outlines) -> int:
    """Count the marks that hold more than one bead by their shape.

    Of a disc, the largest circle inside fills all; of two discs that touch, a half. A mark counts as merged
    when the circle fills less than 0.66 of it, it is larger than 1.3 times the median and it is waisted: less
    than 0.93 of its convex hull, what other marks take of that aside: a sphere behind another has no waist.
    """
    from skimage.measure import regionprops

    if not outline.beads:
        return 0
    typical = float(np.median(outline.area_px))
    large = outline.area_px > 1.3 * typical
    if not large.any():
        return 0
    numbers = np.unique(labels[labels > 0])
    wanted = np.isin(labels, numbers[large])
    count = 0
    for region in regionprops(np.where(wanted, labels, 0).astype(np.int64)):  # type: ignore[no-untyped-call]
        if region.area < 24:
            continue
        inner = float(ndimage.distance_transform_edt(np.pad(region.image, 1)).max())
        others = labels[region.slice][region.image_convex & ~region.image] > 0
        free = region.area_convex - int(others.sum())
        if np.pi * inner**2 < 0.66 * region.area and region.area < 0.93 * free:
            count += 1
    return count
