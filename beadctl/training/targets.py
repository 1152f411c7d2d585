"""Targets of the network for a label image: foreground and marker map; and the contacts of beads."""

from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float32]

# Largest distance from a contact pixel to both beads.
NEAR_PX = 2


def targets(labels: NDArray[Any]) -> tuple[Floats, Floats]:
    """Return foreground (0 or 1) and marker map (0 outside beads, inside above 0 to 1), float32 (H, W).

    The marker of a pixel is its distance to its own bead's edge over the largest such distance in that bead:
    1 in the middle, small but above 0 at the rim, so touching beads have separate peaks and a bead of any
    size peaks at 1. Other beads' pixels are edge; the image's border is not, as beads continue beyond it.

    Parameters
    ----------
    labels : ndarray of integers, shape (H, W)
        0 is background, every other number one bead.
    """
    foreground = labels > 0
    marker = np.zeros(labels.shape, np.float32)
    if not foreground.any():
        return foreground.astype(np.float32), marker
    inside = np.flatnonzero(foreground)
    bead = labels.ravel()[inside].astype(np.intp, copy=False)
    if bead.max() > labels.size:
        # The array below has a place for each number up to the largest.
        _, bead = np.unique(bead, return_inverse=True)
    distances = depths(labels).ravel()[inside]
    deepest = np.zeros(int(bead.max()) + 1)
    np.maximum.at(deepest, bead, distances)
    marker.ravel()[inside] = distances / deepest[bead]
    return foreground.astype(np.float32), marker


def depths(labels: NDArray[Any]) -> NDArray[np.float64]:
    """Return the distance of every bead pixel to the outside of its bead, px, float64 (H, W).

    It is 1 at the rim; the numbers of pixels that are no bead mean nothing. Takes the labels that `targets`
    takes.
    """
    return _depths(_rim(labels) & (labels > 0))


def contacts(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Mark where two beads touch or nearly do: the pixels that decide whether they are counted as two.

    Those are the pixels with two beads or more within `NEAR_PX`, in a square: the rims of touching beads, and
    narrow gaps. Takes the labels that `targets` takes, returns bool (H, W).
    """
    none = labels.max(initial=0) + 1
    highest = _around(np.maximum, labels, 0)
    lowest = _around(np.minimum, np.where(labels > 0, labels, none), none)
    return np.asarray((lowest != none) & (lowest != highest))


def _around(pick: np.ufunc, plane: NDArray[Any], beyond: int) -> NDArray[Any]:
    """Return the extreme of the square around every pixel; `beyond` stands for pixels outside of the plane.

    For so small a square this takes a third of the time of the filters of `ndimage`.
    """
    height, width = plane.shape
    padded = np.pad(plane, NEAR_PX, constant_values=beyond)
    rows = reduce(pick, (padded[step : step + height] for step in range(2 * NEAR_PX + 1)))
    extreme: NDArray[Any] = reduce(pick, (rows[:, step : step + width] for step in range(2 * NEAR_PX + 1)))
    return extreme


def _depths(rim: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the distance of every pixel to the outside of its bead, where it lies in one.

    A rim pixel is one step from the outside. A straight line out of a bead crosses its own rim, so the
    nearest rim pixel is the bead's own. Without a rim one bead fills the image.
    """
    if not rim.any():
        return np.ones(rim.shape)
    # `ndimage` computes distances in float64, these in int32: the squares are whole numbers.
    down, right = ndimage.distance_transform_edt(~rim, return_distances=False, return_indices=True)
    down -= np.arange(rim.shape[0], dtype=np.int32)[:, None]
    right -= np.arange(rim.shape[1], dtype=np.int32)
    down *= down
    right *= right
    down += right
    distance: NDArray[np.float64] = np.sqrt(down, dtype=np.float64)
    distance += 1.0
    return distance


def _rim(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Pixels with a different label among their four neighbours."""
    rim = np.zeros(labels.shape, np.bool_)
    for marks, plane in ((rim, labels), (rim.T, labels.T)):
        edge = plane[1:] != plane[:-1]
        marks[1:] |= edge
        marks[:-1] |= edge
    return rim
