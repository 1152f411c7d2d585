"""Marks with nothing under them, and outlines inside or outside the edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from beadctl.audit.edges import Edges, Outlines

Floats = NDArray[np.float64]
# Share of the usual agreement with edges below which there is nothing under a mark.
LEAST_SUPPORT = 0.25


@dataclass(frozen=True)
class Presence:
    """What the image has of the marked beads.

    Attributes
    ----------
    unsupported, judged : ndarray of bool, shape (beads,)
        Marked beads whose outline lies on no edge, and those that could be judged.
    growth_px : float
        How far the edges lie outside of the outlines (above 0: masks are shrunk), px.
    """

    unsupported: NDArray[np.bool_]
    judged: NDArray[np.bool_]
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


def support(outline: Outlines, edge: Edges, away_px: float, dy: float, dx: float, sign: int) -> Floats:
    """Return the mean edge along the normals of each bead's outline, of that sign, shape (beads,)."""
    number = np.bincount(outline.owner, minlength=outline.beads)
    total = np.bincount(outline.owner, along_normals(outline, edge, away_px, dy, dx), outline.beads)
    return np.asarray(sign * total / np.maximum(number, 1), np.float64)


def presence(outline: Outlines, edge: Edges, *, bright: bool, dy: float, dx: float) -> Presence:
    """Look for the edges of each marked bead, once the mask is moved by (dy, dx).

    A marked bead is supported where its outline, moved by up to 1.5 px more, lies on edges a quarter as well
    as the middling one does.

    Parameters
    ----------
    outline, edge
        Of one image, H x W px.
    bright : bool
        Polarity.
    dy, dx : float
        Where the mask lies on the image.
    """
    sign = -1 if bright else 1
    grown = growth_px(outline, edge, bright, dy, dx)
    number = np.bincount(outline.owner, minlength=outline.beads)
    judged = number >= 8
    nudges = [(0.0, 0.0), (1.5, 0.0), (-1.5, 0.0), (0.0, 1.5), (0.0, -1.5)]
    # Of either sign: above and below the plane of focus beads of one field may be bright and dark.
    best = np.max(
        [np.abs(support(outline, edge, grown + 0.5, dy + a, dx + b, sign)) for a, b in nudges], axis=0
    )
    usual = float(np.median(best[judged])) if judged.any() else 0.0
    return Presence(judged & (best < LEAST_SUPPORT * usual), judged, grown)
