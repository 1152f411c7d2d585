"""Gaps: areas of a plane without values (NaN), as around a mosaic, in which no bead can be counted."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from beadctl import scratch
from beadctl.errors import ImageError

# Narrower places without values are bad pixels, rows and columns, over which beads are found.
LEAST_PX = 3


def outside_gaps(image: NDArray[Any], inside: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    """Return where beads can be counted: `inside` without the gaps; None for the whole plane.

    A gap is an area of NaN that squares of 3 px fill.

    Parameters
    ----------
    image : ndarray, shape (H, W)
        The plane.
    inside : ndarray of bool, shape (H, W), or None
        Where beads are counted, if not everywhere.

    Raises
    ------
    ImageError
        If nothing is left.

    Examples
    --------
    >>> image = np.zeros((4, 6))
    >>> image[:, :3] = np.nan
    >>> image[1, 4] = np.nan
    >>> outside_gaps(image, None)[1].astype(int).tolist()
    [0, 0, 0, 1, 1, 1]
    >>> outside_gaps(image[:, 3:], None) is None
    True
    """
    if image.dtype.kind != "f":
        return inside
    square = np.ones((LEAST_PX, LEAST_PX), bool)
    seen: NDArray[np.bool_] | None = None
    for rows in scratch.bands(*image.shape):
        # The rows above and below decide too.
        top = max(0, rows.start - LEAST_PX + 1)
        missing = np.isnan(image[top : rows.stop + LEAST_PX - 1])
        if not missing.any():
            continue
        gaps = ndimage.binary_opening(missing, square)[rows.start - top :][: rows.stop - rows.start]
        if not gaps.any():
            continue
        if seen is None:
            seen = scratch.zeros(image.shape, np.bool_)
            seen[:] = True if inside is None else inside
        seen[rows] &= ~gaps
        scratch.release(image, seen)
    if seen is None:
        return inside
    if not seen.any():
        raise ImageError("its field has no pixel with a value, only NaN; state another --region")
    return seen
