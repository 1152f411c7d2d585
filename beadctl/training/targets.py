"""What the network shall answer for a label image: foreground, and a seed peak in every bead."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float32]


def targets(labels: NDArray[Any]) -> tuple[Floats, Floats]:
    """Foreground and seed maps of a label image.

    The seed of a pixel is its distance to its own bead's edge over the largest such distance in that
    bead: 1 in the middle, small but above 0 at the rim, so beads that touch keep separate peaks while a
    bead of any size peaks at 1. Another bead's pixels are edge; the image's border is not, for a bead
    does not end where the camera stops looking.

    Parameters
    ----------
    labels : ndarray of integers, shape (H, W)
        0 is background, every other number one bead.

    Returns
    -------
    foreground, seed : ndarray of float32, shape (H, W)
        Foreground is 0 or 1, seed 0 outside beads and above 0 up to 1 inside.
    """
    foreground = labels > 0
    rim = _rim(labels) & foreground
    seed = np.zeros(labels.shape, np.float32)
    if not foreground.any():
        return foreground.astype(np.float32), seed
    # A rim pixel is one step from the outside; a straight way out of a bead crosses its own rim, so the
    # nearest rim pixel is the bead's own. Without any rim one bead fills the image: no edge is in sight.
    depth = ndimage.distance_transform_edt(~rim) + 1.0 if rim.any() else np.ones(labels.shape)
    inside = np.flatnonzero(foreground)
    _, instance = np.unique(labels.ravel()[inside], return_inverse=True)
    depths = depth.ravel()[inside]
    deepest = np.zeros(int(instance.max()) + 1)
    np.maximum.at(deepest, instance, depths)
    seed.ravel()[inside] = depths / deepest[instance]
    return foreground.astype(np.float32), seed


def _rim(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Pixels with a different label among their four neighbours."""
    rim = np.zeros(labels.shape, np.bool_)
    vertical = labels[1:] != labels[:-1]
    rim[1:] |= vertical
    rim[:-1] |= vertical
    horizontal = labels[:, 1:] != labels[:, :-1]
    rim[:, 1:] |= horizontal
    rim[:, :-1] |= horizontal
    return rim
