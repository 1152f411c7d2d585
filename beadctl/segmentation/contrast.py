"""How far beads stand out from what is around them, and what they weigh: the light they give or take."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from beadctl.segmentation.measure import BeadTable

# A pixel darker than this share of the background is no better known: the camera's noise, or its black level.
DARKEST = 0.02


def contrasts(
    labels: NDArray[np.uint32],
    image: NDArray[Any],
    table: BeadTable,
    chosen: NDArray[np.intp],
    *,
    around_px: int,
) -> NDArray[np.float64]:
    """Measure how much brighter beads are than the median of the background around each.

    Parameters
    ----------
    labels : ndarray of uint32, shape (H, W)
        Label image.
    image : ndarray, shape (H, W)
        The plane, in its own units.
    table : BeadTable
        The measurements of its beads.
    chosen : ndarray of int, shape (n,)
        Rows of the table.
    around_px : int
        How far around a bead the background is looked at, px.

    Returns
    -------
    ndarray of float64, shape (n,)
        In the image's units, below 0 for dark beads; nan where there is no background.
    """
    found = np.full(len(chosen), np.nan)
    for at, bead in enumerate(chosen):
        part, seen = _surroundings(labels, image, table, bead, around_px)
        around = seen[part == 0]
        if around.size:
            found[at] = seen[part == table.label[bead]].mean() - np.median(around)
    return found


def weights(
    labels: NDArray[np.uint32],
    image: NDArray[Any],
    table: BeadTable,
    chosen: NDArray[np.intp],
    *,
    around_px: int,
    rim_px: int,
    dark: bool,
) -> NDArray[np.float64]:
    """Sum what beads give or take of the light: what adds up where they lie over one another.

    Of bright beads that is the light itself, of dark ones the optical density, the natural logarithm of
    background over bead (Beer-Lambert).

    Parameters
    ----------
    labels, image, table, chosen, around_px
        As for `contrasts`.
    rim_px : int
        How far outside of its outline a bead's blurred edge counts too, px; less than `around_px`.
    dark : bool
        Whether the beads are darker than the background.

    Returns
    -------
    ndarray of float64, shape (n, 2)
        The sum, and the mean within the outline; nan where there is no background, or none above 0 beneath
        dark beads.
    """
    found = np.full((len(chosen), 2), np.nan)
    for at, bead in enumerate(chosen):
        part, seen = _surroundings(labels, image, table, bead, around_px)
        outline = part == table.label[bead]
        reached = ndimage.binary_dilation(outline, iterations=rim_px) & (outline | (part == 0))
        around = seen[(part == 0) & ~reached]
        background = float(np.median(around)) if around.size else math.nan
        if math.isnan(background) or (dark and background <= 0):
            continue
        own = seen.astype(np.float64)
        taken = np.log(background / np.maximum(own, DARKEST * background)) if dark else own - background
        found[at] = taken[reached].sum(), taken[outline].mean()
    return found


def _surroundings(
    labels: NDArray[np.uint32], image: NDArray[Any], table: BeadTable, bead: np.intp, around_px: int
) -> tuple[NDArray[np.uint32], NDArray[Any]]:
    """Cut a bead and what is around it out of labels and image."""
    half = math.ceil(table.major_axis_px[bead] / 2) + around_px
    middle = round(float(table.y_px[bead])), round(float(table.x_px[bead]))
    rows, columns = (slice(max(0, at - half), at + half + 1) for at in middle)
    return labels[rows, columns], image[rows, columns]
