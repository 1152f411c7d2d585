"""Which beads touch, and the groups that they form."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from beadctl import scratch


def pairs(labels: NDArray[Any]) -> NDArray[np.int64]:
    """Return the pairs of labels that touch, 8-connected: shape (N, 2), the smaller label first.

    Parameters
    ----------
    labels : ndarray of int, shape (H, W)
        Label image, 0 for background.

    Examples
    --------
    >>> pairs(np.array([[1, 1, 0], [0, 0, 2], [3, 0, 0]])).tolist()
    [[1, 2]]
    """
    found = [np.zeros(0, np.uint64)]
    for rows in scratch.bands(*labels.shape):
        # With the row below, of which the pairs across belong to the next band.
        band = np.asarray(labels[rows.start : rows.stop + 1])
        is_bead = band != 0
        for down, across in ((0, 1), (1, 0), (1, 1), (1, -1)):
            height = min(rows.stop - rows.start, len(band) - down)
            one = slice(height), slice(max(0, -across), band.shape[1] - max(0, across))
            other = slice(down, height + down), slice(max(0, across), band.shape[1] + min(0, across))
            met = is_bead[one] & is_bead[other] & (band[one] != band[other])
            first, second = band[one][met].astype(np.uint64), band[other][met].astype(np.uint64)
            # Two labels of 32 bits as one number, which is faster to sort.
            found.append(np.unique(np.minimum(first, second) << np.uint64(32) | np.maximum(first, second)))
        scratch.release(labels)
    both = np.unique(np.concatenate(found))
    return np.stack([both >> np.uint64(32), both & np.uint64(0xFFFFFFFF)], axis=-1).astype(np.int64)


def group_sizes(labels: NDArray[Any], beads: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of beads of each group; beads that touch, directly or by others, are one group.

    Parameters
    ----------
    labels : ndarray of int, shape (H, W)
        Label image, 0 for background.
    beads : ndarray of int64, shape (n,)
        The labels in it, ascending.

    Examples
    --------
    >>> labels = np.array([[1, 1, 0], [0, 0, 2], [3, 0, 0]])
    >>> group_sizes(labels, np.array([1, 2, 3])).tolist()
    [2, 1]
    """
    one, other = np.searchsorted(beads, pairs(labels)).T
    touch = coo_array((np.ones(one.size), (one, other)), shape=(beads.size, beads.size))
    _, group = connected_components(touch, directed=False)
    return np.bincount(group).astype(np.int64)
