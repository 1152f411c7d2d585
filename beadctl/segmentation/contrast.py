"""Contrast of beads against the background around them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl import scratch
from beadctl.segmentation.bead_table import BeadTable

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
