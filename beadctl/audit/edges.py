"""Outlines of a label image, and the edges of an image that they are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float32]
# Points enough for a shift to a tenth of a pixel; a crowded mask has ten times as many.
MAX_POINTS = 24_000
# A bead with fewer points has too little outline to be judged.
MIN_POINTS = 8


@dataclass(frozen=True)
class Outlines:
    """Points on the outlines of beads, each with the direction away from the bead's centroid.

    Only pixels that border on background are points: where beads touch there is no edge to compare with.

    Attributes
    ----------
    y, x, normal_y, normal_x : ndarray of intp and of float32, shape (points,)
        The outermost pixels of the beads, and unit vectors away from the bead's centroid.
    bead_index : ndarray of intp, shape (points,)
        The bead of each point, an index into the arrays below.
    centre_y, centre_x, area_px : ndarray of float64, shape (beads,)
        Centroids, px, and areas, px^2, of all beads of the label image, in order of their labels.
    """

    y: NDArray[np.intp]
    x: NDArray[np.intp]
    normal_y: Floats
    normal_x: Floats
    bead_index: NDArray[np.intp]
    centre_y: NDArray[np.float64]
    centre_x: NDArray[np.float64]
    area_px: NDArray[np.float64]

    @property
    def bead_count(self) -> int:
        """Number of beads."""
        return len(self.area_px)

    @property
    def points_per_bead(self) -> NDArray[np.intp]:
        """Number of points of each bead, shape (beads,)."""
        return np.bincount(self.bead_index, minlength=self.bead_count)

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Beads with enough outline to be judged, shape (beads,)."""
        return np.asarray(self.points_per_bead >= MIN_POINTS, bool)

    @property
    def radius_px(self) -> NDArray[np.float64]:
        """Radii of discs of the beads' areas, px, shape (beads,)."""
        return np.asarray(np.sqrt(self.area_px / np.pi), np.float64)

    @property
    def diameter_px(self) -> float:
        """Median diameter, px; 0 without beads."""
        return float(2 * np.median(self.radius_px)) if self.bead_count else 0.0


def trace_outlines(labels: NDArray[np.uint32]) -> Outlines:
    """Return the outlines of a label image, uint32 (H, W)."""
    numbers, counts = np.unique(labels, return_counts=True)
    area_px = counts[numbers > 0].astype(np.float64)
    numbers = numbers[numbers > 0]
    row, column = np.nonzero(labels)
    index = np.searchsorted(numbers, labels[row, column])
    centre_y = np.bincount(index, row, len(numbers)) / area_px
    centre_x = np.bincount(index, column, len(numbers)) / area_px
    at_background = ndimage.binary_dilation(labels == 0)
    chosen = np.flatnonzero(at_background[row, column])
    chosen = chosen[:: max(1, -(-len(chosen) // MAX_POINTS))]
    y, x, bead_index = row[chosen], column[chosen], index[chosen]
    dy, dx = y - centre_y[bead_index], x - centre_x[bead_index]
    length = np.maximum(np.hypot(dy, dx), 0.5)
    normal_y, normal_x = (dy / length).astype(np.float32), (dx / length).astype(np.float32)
    return Outlines(y, x, normal_y, normal_x, bead_index, centre_y, centre_x, area_px)


@dataclass(frozen=True)
class EdgeMap:
    """Gradient of an image with compressed magnitude.

    Attributes
    ----------
    y, x, smoothed : ndarray of float32, shape (H, W)
        Gradient g of the smoothed image, and that image. g is divided by (|g| + the 80th percentile of |g|):
        its length is 0..1, so that one bright object does not outweigh all beads.
    """

    y: Floats
    x: Floats
    smoothed: Floats


def edge_map(pixels: NDArray[Any], diameter_px: float) -> EdgeMap:
    """Return the edges of an image.

    Parameters
    ----------
    pixels : ndarray, shape (H, W)
        Grey values in any dtype; NaN and infinity are replaced by the median.
    diameter_px : float
        Diameter of the beads, px, which sets how much the image is smoothed.
    """
    image = pixels.astype(np.float32)
    finite = np.isfinite(image)
    if not finite.all():
        image = np.where(finite, image, np.median(image[finite]) if finite.any() else 0).astype(np.float32)
    sigma_px = float(np.clip(0.1 * diameter_px, 0.7, 3.0))
    smoothed = ndimage.gaussian_filter(image, sigma_px, truncate=3.0)
    y, x = np.gradient(smoothed)
    magnitude = np.hypot(y, x)
    sample = magnitude[:: max(1, magnitude.shape[0] // 256), :: max(1, magnitude.shape[1] // 256)]
    weight = magnitude + np.float32(max(float(np.percentile(sample, 80)), 1e-12))
    return EdgeMap(y / weight, x / weight, smoothed)
