"""Gaps: areas of a plane without values (NaN or infinite), as around a mosaic, where no bead is counted."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from beadctl import scratch
from beadctl.errors import ImageError

# Narrower places without values are bad pixels, rows and columns, over which beads are found.
LEAST_PX = 3


def gaps_of(image: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Return the gaps of a plane, bool (H, W): areas without values that squares of 3 px fill; None without.

    Parameters
    ----------
    image : ndarray, shape (H, W)
        The plane.

    Examples
    --------
    >>> image = np.zeros((4, 6))
    >>> image[:, :3] = np.nan
    >>> image[1, 4] = np.nan
    >>> gaps_of(image)[1].astype(int).tolist()
    [1, 1, 1, 0, 0, 0]
    >>> gaps_of(image[:, 3:]) is None
    True
    """
    if image.dtype.kind != "f":
        return None
    square = np.ones((LEAST_PX, LEAST_PX), bool)
    found: NDArray[np.bool_] | None = None
    for rows in scratch.bands(*image.shape):
        # The rows above and below decide too.
        top = max(0, rows.start - LEAST_PX + 1)
        missing = ~np.isfinite(image[top : rows.stop + LEAST_PX - 1])
        if not missing.any():
            continue
        gaps = ndimage.binary_opening(missing, square)[rows.start - top :][: rows.stop - rows.start]
        if not gaps.any():
            continue
        if found is None:
            found = scratch.zeros(image.shape, np.bool_)
        found[rows] = gaps
        scratch.release(image, found)
    return found


def blanked(plane: NDArray[Any], gaps: NDArray[np.bool_]) -> NDArray[Any]:
    """Return a copy of a map, (H, W), that is 0 in the gaps, bool of its shape.

    Examples
    --------
    >>> blanked(np.array([[7, 8, 9]]), np.array([[False, True, False]])).tolist()
    [[7, 0, 9]]
    """
    result = scratch.zeros(plane.shape, plane.dtype)
    for rows in scratch.bands(*plane.shape):
        np.copyto(result[rows], plane[rows], where=~gaps[rows])
        scratch.release(plane, gaps, result)
    return result


def outside(gaps: NDArray[np.bool_] | None, inside: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    """Return where beads can be counted: `inside` without the gaps; None for the whole plane.

    Parameters
    ----------
    gaps : ndarray of bool, shape (H, W), or None
        As from `gaps_of`.
    inside : ndarray of bool, shape (H, W), or None
        Where beads are counted, if not everywhere.

    Raises
    ------
    ImageError
        If nothing is left.
    """
    if gaps is None:
        return inside
    seen = scratch.zeros(gaps.shape, np.bool_)
    for rows in scratch.bands(*gaps.shape):
        seen[rows] = ~gaps[rows] if inside is None else inside[rows] & ~gaps[rows]
        scratch.release(gaps, seen)
    if not seen.any():
        raise ImageError("its field has no pixel with a value, only NaN or infinity; state another --region")
    return seen


def beside(labels: NDArray[Any], gaps: NDArray[np.bool_] | None) -> NDArray[Any]:
    """Return the labels with a pixel in a gap or next to one, 8-connected, ascending: a gap cuts these beads.

    Parameters
    ----------
    labels : ndarray of int, shape (H, W)
        Label image, 0 for background.
    gaps : ndarray of bool, shape (H, W), or None
        As from `gaps_of`.

    Examples
    --------
    >>> gaps = np.zeros((3, 7), bool)
    >>> gaps[:, :3] = True
    >>> beside(np.array([[0] * 7, [0, 0, 0, 4, 4, 0, 9], [0] * 7]), gaps).tolist()
    [4]
    """
    found = [np.zeros(0, labels.dtype)]
    if gaps is not None:
        around = np.ones((3, 3), bool)
        for rows in scratch.bands(*gaps.shape):
            # The rows above and below reach into the band.
            top = max(0, rows.start - 1)
            near = gaps[top : rows.stop + 1]
            if near.any():
                near = ndimage.binary_dilation(near, around)[rows.start - top :][: rows.stop - rows.start]
                found.append(np.unique(labels[rows][near]))
            scratch.release(labels, gaps)
    every = np.unique(np.concatenate(found))
    return np.asarray(every[every != 0])
