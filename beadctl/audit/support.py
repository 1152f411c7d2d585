"""Whether edges support each marked bead, and how far outside of the outlines they lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from beadctl.audit.edges import EdgeMap, Outlines
from beadctl.audit.fit import PairFeatures

Floats = NDArray[np.float64]


# A mark with less than this share of the median support has no edges.
LEAST_SUPPORT = 0.25
# A mark may lie off by this much, px, and still be supported.
OFFSET_PX = 1.5


def _along_normals(
    outlines: Outlines, edges: EdgeMap, away_px: float, dy: float, dx: float
) -> NDArray[np.float32]:
    """Return the edges along the normals, that far outside of outlines moved by (dy, dx), shape (points,)."""
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
    outlines, edges : Outlines, EdgeMap
        Of one image.
    away_px : float
        How far outside of the outlines the edges are read, px.
    shift : tuple of float
        Shift of the outlines along y and x, px.
    sign : int
        -1 for edges of bright beads, 1 for those of dark ones.
    """
    along = _along_normals(outlines, edges, away_px, *shift)
    total = np.bincount(outlines.bead_index, along, outlines.bead_count)
    return np.asarray(sign * total / np.maximum(outlines.points_per_bead, 1), np.float64)


def outline_growth_px(pair: PairFeatures) -> float:
    """Return how far edges lie outside of the outlines, px: the best of steps up to half a radius.

    Parameters
    ----------
    pair : PairFeatures
        The mask and its image.
    """
    outlines, fit = pair.outlines, pair.fit
    reach = float(np.clip(outlines.diameter_px / 4, 2.0, 12.0))
    steps = np.arange(-reach, reach + 0.25, 0.5)
    means = [
        float(_along_normals(outlines, pair.edges, step, fit.dy, fit.dx).mean()) * fit.sign for step in steps
    ]
    # The centres of the outermost pixels lie half a pixel inside the outline.
    return float(steps[int(np.argmax(means))]) - 0.5


def unsupported(pair: PairFeatures, growth_px: float) -> NDArray[np.bool_]:
    """Return the judged beads whose outlines lie on no edges, shape (beads,).

    Parameters
    ----------
    pair : PairFeatures
        The mask and its image.
    growth_px : float
        How far edges lie outside of outlines, px.
    """
    outlines, fit, by = pair.outlines, pair.fit, OFFSET_PX
    shifts = [(fit.dy + a, fit.dx + b) for a, b in ((0, 0), (by, 0), (-by, 0), (0, by), (0, -by))]
    away_px, sign = growth_px + 0.5, fit.sign
    # Without sign: above and below the plane of focus, beads of one field may be bright and dark.
    best = np.max([np.abs(mean_support(outlines, pair.edges, away_px, at, sign)) for at in shifts], axis=0)
    median = float(np.median(best[outlines.judged])) if outlines.judged.any() else 0.0
    return np.asarray(outlines.judged & (best < LEAST_SUPPORT * median), bool)
