"""Contrast of beads against the background around them, and their integrated intensity or optical density."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from beadctl import scratch
from beadctl.segmentation.bead_table import BeadTable

# Floor of a pixel under a dark bead, as a share of the background: camera noise or black level.
DARKEST = 0.02
# Label of pixels without a value (NaN), which are neither bead nor background.
NO_VALUE = np.uint32(np.iinfo(np.uint32).max)


def contrasts(
    labels: NDArray[np.uint32],
    image: NDArray[Any],
    table: BeadTable,
    chosen: NDArray[np.intp],
    *,
    around_px: int,
) -> NDArray[np.float64]:
    """Return the mean intensity of beads minus the median of the background around each, float64 (n,).

    In the image's units, negative for dark beads; nan where there is no background, or no value.

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
        Width of the background around a bead, px.
    """
    found = np.full(len(chosen), np.nan)
    for at, bead in scratch.released(enumerate(chosen), labels, image):
        part, pixels = _surroundings(labels, image, table, bead, around_px)
        background, own = pixels[part == 0], pixels[part == table.label[bead]]
        if background.size and own.size:
            found[at] = own.mean() - np.median(background)
    return found


def integrated(
    labels: NDArray[np.uint32],
    image: NDArray[Any],
    table: BeadTable,
    chosen: NDArray[np.intp],
    *,
    around_px: int,
    rim_px: int,
    dark: bool,
) -> NDArray[np.float64]:
    """Return sum and mean (within the outline) of the signal of beads, which adds up where they overlap.

    It is the intensity above the background for bright beads, and for dark ones the optical density, the
    natural logarithm of background over bead (Beer-Lambert). The array is float64 (n, 2); nan where there is
    no background, or none above 0 around dark beads.

    Parameters
    ----------
    labels, image, table, chosen, around_px
        As for `contrasts`.
    rim_px : int
        Width of the blurred edge outside of the outline that is included, px; less than `around_px`.
    dark : bool
        Whether the beads are darker than the background.
    """
    found = np.full((len(chosen), 2), np.nan)
    for at, bead in scratch.released(enumerate(chosen), labels, image):
        part, pixels = _surroundings(labels, image, table, bead, around_px)
        outline = part == table.label[bead]
        reached = ndimage.binary_dilation(outline, iterations=rim_px) & (outline | (part == 0))
        around = pixels[(part == 0) & ~reached]
        background = float(np.median(around)) if around.size else math.nan
        if math.isnan(background) or not outline.any() or (dark and background <= 0):
            continue
        own = pixels[reached].astype(np.float64)
        signal = np.log(background / np.maximum(own, DARKEST * background)) if dark else own - background
        found[at] = signal.sum(), signal[outline[reached]].mean()
    return found


def _surroundings(
    labels: NDArray[np.uint32], image: NDArray[Any], table: BeadTable, bead: np.intp, around_px: int
) -> tuple[NDArray[np.uint32], NDArray[Any]]:
    """Cut a bead and its surroundings out of labels and image; pixels without a value get a label of none."""
    half = math.ceil(table.major_axis_px[bead] / 2) + around_px
    middle = round(float(table.y_px[bead])), round(float(table.x_px[bead]))
    rows, columns = (slice(max(0, at - half), at + half + 1) for at in middle)
    part, pixels = labels[rows, columns], image[rows, columns]
    if image.dtype.kind == "f" and not (known := np.isfinite(pixels)).all():
        part = np.where(known, part, NO_VALUE)
    return part, pixels
