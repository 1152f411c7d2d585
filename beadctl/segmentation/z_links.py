"""Beads that appear in several planes of a Z stack, linked so that each is counted once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

# Least overlap of a bead with itself in the next plane, over the smaller of both areas.
LEAST_OVERLAP = 0.5

Pairs = NDArray[np.int64]


def overlapping(one: NDArray[Any], next_one: NDArray[Any]) -> Pairs:
    """Return the labels that are one bead in neighbouring planes: shape (N, 2).

    Two labels are one bead if their overlap is half of the smaller one or more, and of all labels each
    overlaps the other most.

    Parameters
    ----------
    one, next_one : ndarray of int, shape (H, W)
        Label images of neighbouring planes, 0 for background.

    Examples
    --------
    >>> overlapping(np.array([[1, 1, 1, 0, 2]]), np.array([[0, 7, 7, 0, 0]])).tolist()
    [[1, 7]]
    """
    both = (one != 0) & (next_one != 0)
    keys = one[both].astype(np.uint64) << np.uint64(32) | next_one[both].astype(np.uint64)
    pairs, shared = np.unique(keys, return_counts=True)
    lower = (pairs >> np.uint64(32)).astype(np.int64)
    upper = (pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)
    areas = [np.bincount(labels.ravel()) for labels in (one, next_one)]
    smaller = np.minimum(areas[0][lower], areas[1][upper])
    kept = (shared >= LEAST_OVERLAP * smaller) & _most(lower, shared) & _most(upper, shared)
    return np.stack([lower[kept], upper[kept]], axis=-1)


def _most(labels: NDArray[np.int64], shared: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which pairs are the first with the largest overlap of their label."""
    first = np.zeros(labels.size, bool)
    order = np.lexsort((-shared, labels))
    first[order[np.flatnonzero(np.diff(labels[order], prepend=-1))]] = True
    return first


def chains(counts: Sequence[int], links: Sequence[Pairs]) -> NDArray[np.int64]:
    """Return the number of the bead that each label is, of all labels of all planes in order.

    Parameters
    ----------
    counts : sequence of int
        Labels of each plane.
    links : sequence of ndarray, shape (N, 2)
        For each plane but the last, places of its labels and of those of the next plane that are one bead.

    Examples
    --------
    >>> chains([2, 1], [np.array([[1, 0]])]).tolist()
    [0, 1, 1]
    """
    starts = np.cumsum([0, *counts])
    ends = [pairs + starts[number : number + 2] for number, pairs in enumerate(links)]
    one, other = np.concatenate([np.empty((0, 2), np.int64), *ends]).astype(np.int64).T
    linked = coo_array((np.ones(one.size), (one, other)), shape=(starts[-1], starts[-1]))
    return np.asarray(connected_components(linked, directed=False)[1], np.int64)
