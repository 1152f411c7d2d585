"""How well the outlines of a mask lie on the edges of an image, and the shift at which they lie best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from beadctl.audit.detections import Detections
from beadctl.audit.edges import EdgeMap, Outlines, edge_map, trace_outlines

Floats = NDArray[np.float64]
# Share of the highest agreement from which on the local maximum next to no shift is preferred: the inner edge
# of a ring, or the next row of a lattice, may agree as well as the edge that the mask was drawn on.
NEAREST_MAXIMUM = 0.8
# Reach of what counts as no shift, px: drawing accuracy.
UNSHIFTED_PX = 2
# Spread of the agreement, relative to its maximum, under which an image is without edges nearly everywhere.
NO_SPREAD = 1e-4


@dataclass(frozen=True, slots=True)
class MaskFit:
    """How a mask lies on an image.

    Attributes
    ----------
    agreement, unshifted_agreement : float
        Mean of the edges along the outlines' normals, 0..1, without its sign: at the best shift, and at none.
    score : float
        Agreement at the best shift in robust standard deviations of the agreement over all shifts.
    bright : bool
        Whether beads are brighter than their surroundings.
    dy, dx : float
        Best shift, px: what to move the mask by.
    better_shifts : float
        Share of the shifts searched at which the outlines lie better on edges than at none, or within 2 px.
    """

    agreement: float
    unshifted_agreement: float
    score: float
    bright: bool
    dy: float
    dx: float
    better_shifts: float = 1.0

    @property
    def shift_px(self) -> float:
        """Length of the shift, px."""
        return float(np.hypot(self.dy, self.dx))

    @property
    def sign(self) -> int:
        """Sign of the edges along the normals: -1 for bright beads."""
        return -1 if self.bright else 1


NO_FIT = MaskFit(0.0, 0.0, 0.0, True, 0.0, 0.0)
"""Of pairs that cannot be compared."""


@dataclass(frozen=True)
class PairFeatures:
    """Features of a mask and its image.

    Attributes
    ----------
    labels, outlines : ndarray of uint32, shape (H, W), and Outlines
        Label image of the mask, and its outlines.
    edges : EdgeMap
        Edges of the image.
    fit : MaskFit
        How the mask lies on the image.
    detections : Detections or None
        Beads that a model detects in the image; None without a model.
    """

    labels: NDArray[np.uint32]
    outlines: Outlines
    edges: EdgeMap
    fit: MaskFit
    detections: Detections | None = None

    @classmethod
    def of(cls, pixels: NDArray[Any], labels: NDArray[np.uint32]) -> PairFeatures:
        """Measure an image in any dtype and the label image of its mask, both (H, W), without a model."""
        outlines = trace_outlines(labels)
        edges = edge_map(pixels, outlines.diameter_px)
        return cls(labels, outlines, edges, fit_mask(outlines, edges))


def shift_labels(labels: NDArray[np.uint32], fit: MaskFit) -> NDArray[np.uint32]:
    """Return a label image, (H, W), moved by the shift of a fit in whole pixels and filled with 0."""
    return np.asarray(ndimage.shift(labels, (round(fit.dy), round(fit.dx)), order=0), np.uint32)


def fit_mask(outlines: Outlines, edges: EdgeMap, reach_px: int | None = None) -> MaskFit:
    """Find the shift at which outlines lie best on edges of either sign.

    Parameters
    ----------
    outlines, edges : Outlines, EdgeMap
        Of one image.
    reach_px : int, optional
        Longest shift along an axis that is searched, px; by default a twelfth of the image, 24 to 64 px.
    """
    if not len(outlines.y):
        return NO_FIT
    if reach_px is None:
        side = min(edges.y.shape)
        reach_px = min(max(24, side // 12), 64, side // 8)
    agreement = _agreement(outlines, edges)
    span = np.arange(-reach_px, reach_px + 1)
    near = agreement[np.ix_(span % agreement.shape[0], span % agreement.shape[1])].astype(np.float64)
    size = np.abs(near)
    top, left = divmod(int(size.argmax()), size.shape[1])
    nearest = _climb(size, reach_px)
    if size[nearest] >= NEAREST_MAXIMUM * size[top, left]:
        top, left = nearest
    # The median absolute value over 0.6745 is the standard deviation of a normal distribution.
    spread = float(np.median(np.abs(agreement[::3, ::3]))) / 0.6745
    if spread < NO_SPREAD * size[top, left]:
        # Edges in a small part of the image only: most shifts meet none.
        spread = float(np.sqrt(np.mean(agreement**2)))
    about_none = slice(reach_px - UNSHIFTED_PX, reach_px + UNSHIFTED_PX + 1)
    sign = np.sign(near[top, left]) or 1.0
    peak_y, peak_x = subpixel_peak(near * sign, top, left)
    return MaskFit(
        agreement=float(size[top, left]),
        unshifted_agreement=float(size[reach_px, reach_px]),
        score=float(size[top, left]) / max(spread, 1e-9),
        bright=bool(sign < 0),
        dy=span[top] + peak_y,
        dx=span[left] + peak_x,
        better_shifts=float((size > size[about_none, about_none].max()).mean()),
    )


def _agreement(outlines: Outlines, edges: EdgeMap) -> NDArray[np.float32]:
    """Return, at [dy, dx] modulo shape, the mean edge along the normals for outlines moved by (dy, dx)."""
    # Padded, so that shifts up to an eighth of the image do not wrap.
    shape = [fft.next_fast_len(length + length // 8, real=True) for length in edges.y.shape]
    total = np.zeros((shape[0], shape[1] // 2 + 1), np.complex64)
    for normal, slope in ((outlines.normal_y, edges.y), (outlines.normal_x, edges.x)):
        drawn = np.zeros(shape, np.float32)
        drawn[outlines.y, outlines.x] = normal
        total += np.conj(fft.rfft2(drawn)) * fft.rfft2(slope, shape)
    return np.asarray(fft.irfft2(total, shape) / max(len(outlines.y), 1), np.float32)


def _climb(surface: Floats, start: int) -> tuple[int, int]:
    """Return the local maximum that steepest ascent reaches from (start, start)."""
    top = left = start
    while True:
        first_y, first_x = max(top - 1, 0), max(left - 1, 0)
        around = surface[first_y : top + 2, first_x : left + 2]
        step_y, step_x = divmod(int(around.argmax()), around.shape[1])
        if (first_y + step_y, first_x + step_x) == (top, left):
            return top, left
        top, left = first_y + step_y, first_x + step_x


def _along_normals(
    outlines: Outlines, edges: EdgeMap, away_px: float, dy: float, dx: float
) -> NDArray[np.float32]:
    """Return the edges along the normals of shifted outlines, shape (points,); see `mean_support`."""
    y = outlines.y + dy + away_px * outlines.normal_y
    x = outlines.x + dx + away_px * outlines.normal_x
    at = np.array([y, x], np.float32)
    parts = [ndimage.map_coordinates(slope, at, order=1, mode="constant") for slope in (edges.y, edges.x)]
    return np.asarray(outlines.normal_y * parts[0] + outlines.normal_x * parts[1], np.float32)


def mean_support(
    outlines: Outlines, edges: EdgeMap, away_px: float, shift: tuple[float, float], sign: int
) -> Floats:
    """Return the mean edge along the normals of each bead's outline, shape (beads,).

    Parameters
    ----------
    outlines, edges, sign : Outlines, EdgeMap, int
        Of one image; the sign is -1 for edges of bright beads.
    away_px, shift : float, tuple of float
        How far outside of the outlines edges are read, and the shift of the outlines along y and x, px.
    """
    along = _along_normals(outlines, edges, away_px, *shift)
    total = np.bincount(outlines.bead_index, along, outlines.bead_count)
    return np.asarray(sign * total / np.maximum(outlines.points_per_bead, 1), np.float64)


def outline_growth_px(pair: PairFeatures) -> float:
    """Return how far edges lie outside of the outlines, px: the best of steps up to half a radius."""
    outlines, fit = pair.outlines, pair.fit
    reach = float(np.clip(outlines.diameter_px / 4, 2.0, 12.0))
    steps = np.arange(-reach, reach + 0.25, 0.5)
    means = [_along_normals(outlines, pair.edges, step, fit.dy, fit.dx).mean() * fit.sign for step in steps]
    # The centres of the outermost pixels lie half a pixel inside the outline.
    return float(steps[int(np.argmax(means))]) - 0.5


def subpixel_peak(surface: Floats, top: int, left: int) -> tuple[float, float]:
    """Return the offset, px, of the maximum of a parabola along each axis through the highest pixel."""

    def offset(line: Floats, at: int) -> float:
        if not 0 < at < len(line) - 1:
            return 0.0
        before, here, after = (float(v) for v in line[at - 1 : at + 2])
        bend = before - 2 * here + after
        return float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend < 0 else 0.0

    return offset(surface[:, left], top), offset(surface[top], left)
