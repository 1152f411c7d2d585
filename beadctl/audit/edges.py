"""Outlines of a label image, and the edges of an image that they should lie on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float32]
# Enough for a figure to a tenth of a pixel; a crowded mask has ten times as many.
MOST_POINTS = 24_000


@dataclass(frozen=True)
class Outlines:
    """Points on the outlines of beads, each with its direction away from the bead's centre.

    Only what borders on background counts: where beads touch, or the image ends, there is no edge to compare.

    Attributes
    ----------
    y, x : ndarray of intp, shape (points,)
        The outermost pixels of the beads.
    normal_y, normal_x : ndarray of float32, shape (points,)
        Unit vectors away from the bead's centroid.
    owner : ndarray of intp, shape (points,)
        The bead, an index into the arrays below.
    centre_y, centre_x, area_px : ndarray of float64, shape (beads,)
        Centroids, px, and areas, px^2, of all beads of the label image, in order of their numbers.
    """

    y: NDArray[np.intp]
    x: NDArray[np.intp]
    normal_y: Floats
    normal_x: Floats
    owner: NDArray[np.intp]
    centre_y: NDArray[np.float64]
    centre_x: NDArray[np.float64]
    area_px: NDArray[np.float64]

    @property
    def beads(self) -> int:
        """How many beads there are."""
        return len(self.area_px)

    @property
    def radius_px(self) -> NDArray[np.float64]:
        """Radii of discs of the beads' areas, px, shape (beads,)."""
        return np.asarray(np.sqrt(self.area_px / np.pi), np.float64)

    @property
    def diameter_px(self) -> float:
        """Median diameter, px; 0 without beads."""
        return float(2 * np.median(self.radius_px)) if self.beads else 0.0


def outlines(labels: NDArray[np.uint32]) -> Outlines:
    """Return the outlines of a label image.

    Parameters
    ----------
    labels : ndarray of uint32, shape (H, W)
    """
    numbers, counts = np.unique(labels, return_counts=True)
    area_px = counts[numbers > 0].astype(np.float64)
    numbers = numbers[numbers > 0]
    row, column = np.nonzero(labels)
    of = np.searchsorted(numbers, labels[row, column])
    centre_y = np.bincount(of, row, len(numbers)) / area_px
    centre_x = np.bincount(of, column, len(numbers)) / area_px
    edge = np.zeros(labels.shape, bool)
    empty = labels == 0
    edge[1:] |= empty[:-1]
    edge[:-1] |= empty[1:]
    edge[:, 1:] |= empty[:, :-1]
    edge[:, :-1] |= empty[:, 1:]
    chosen = np.flatnonzero(edge[row, column])
    chosen = chosen[:: max(1, -(-len(chosen) // MOST_POINTS))]
    y, x, owner = row[chosen], column[chosen], of[chosen]
    dy, dx = y - centre_y[owner], x - centre_x[owner]
    length = np.maximum(np.hypot(dy, dx), 0.5)
    return Outlines(
        y,
        x,
        (dy / length).astype(np.float32),
        (dx / length).astype(np.float32),
        owner,
        centre_y,
        centre_x,
        area_px,
    )


@dataclass(frozen=True)
class Edges:
    """How grey changes at each pixel, with strong edges held down.

    Attributes
    ----------
    y, x : ndarray of float32, shape (H, W)
        Gradient g over (|g| + its 80th percentile): a direction, weighted by how much of an edge there is.
        Without this one bright speck outweighs all beads.
    grey : ndarray of float32, shape (H, W)
        The smoothed image.
    """

    y: Floats
    x: Floats
    grey: Floats


def edges(pixels: NDArray[Any], sigma_px: float) -> Edges:
    """Return the edges of an image.

    Parameters
    ----------
    pixels : ndarray, shape (H, W)
        Grey values; what is not finite counts as the median.
    sigma_px : float
        Of the Gaussian that the gradient is taken over, px.
    """
    image = pixels.astype(np.float32)
    if not np.isfinite(image).all():
        finite = image[np.isfinite(image)]
        image = np.where(np.isfinite(image), image, np.median(finite) if finite.size else 0).astype(
            np.float32
        )
    smooth = ndimage.gaussian_filter(image, sigma_px, truncate=3.0)
    y = np.asarray(np.gradient(smooth, axis=0), np.float32)
    x = np.asarray(np.gradient(smooth, axis=1), np.float32)
    size = np.hypot(y, x)
    sample = size[:: max(1, size.shape[0] // 256), :: max(1, size.shape[1] // 256)]
    weight = size + np.float32(max(float(np.percentile(sample, 80)), 1e-12))
    return Edges(y / weight, x / weight, smooth)
