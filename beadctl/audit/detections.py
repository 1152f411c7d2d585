"""A second opinion: the beads that a finder sees in the image, held against the mask.

Edges are quick, but light from one side, a ring within a ring or the next row of a lattice may lead them
astray, and of few beads they tell little. A finder of beads costs more and errs otherwise: a fault that edges
see and it denies is none, and where it is sure it tells faults that edges cannot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Labels = NDArray[np.uint32]
# Overlap of mask and found beads from which on the mask is that of its image.
AGREES = 0.4
# Moved, it agrees worse from this share of that overlap down; a pixel more or less says nothing.
WORSE = 0.99
# A mark of which so much lies in found beads is seen.
SEEN = 0.5


@dataclass(frozen=True)
class Detections:
    """The beads that a finder sees in an image.

    Attributes
    ----------
    labels : ndarray of uint32, shape (H, W)
        Label image.
    confidence : ndarray of float64, shape (highest number + 1,)
        How sure the finder is of each bead, 0..1, at its number.
    """

    labels: Labels
    confidence: NDArray[np.float64]


def overlap(labels: Labels, there: Labels) -> float:
    """Return the Jaccard of the marked and the found pixels; 0 where there are none.

    Parameters
    ----------
    labels, there : ndarray of uint32, shape (H, W)
        Label images of the marks and of the found beads.
    """
    marked, found = labels > 0, there > 0
    either = int((marked | found).sum())
    return int((marked & found).sum()) / either if either else 0.0


def may_move(labels: Labels, there: Labels, move: NDArray[np.float64]) -> bool:
    """Tell whether the mask agrees no worse with the found beads once it is moved, or not at all before.

    Parameters
    ----------
    labels, there
        As for `overlap`.
    move : ndarray, shape (2, 3)
        Of y and of x, px: in the middle of the image, and its change a pixel along y and along x.
    """
    here = overlap(labels, there)
    if here < AGREES:
        return True
    height, width = labels.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    along = np.stack([np.ones_like(y), y - height / 2, x - width / 2])
    away = np.tensordot(move, along, axes=1)
    moved = ndimage.map_coordinates(labels, [y - away[0], x - away[1]], order=0)
    return overlap(np.asarray(moved, np.uint32), there) > WORSE * here


def unseen(labels: Labels, there: Labels) -> NDArray[np.bool_]:
    """Tell which marks nothing was found under, in order of their numbers, shape (beads,)."""
    numbers = np.unique(labels[labels > 0])
    if not len(numbers):
        return np.zeros(0, bool)
    return np.asarray(ndimage.mean(there > 0, labels, numbers) < SEEN, bool)


def mates(labels: Labels, there: Labels, factor: float) -> tuple[Labels, Labels]:
    """Return the numbers of marks and of the found beads that belong to them, shapes (mates,).

    One lies mostly in the other, in no third, and has at most `factor` times its area.
    """
    both = (labels > 0) & (there > 0)
    # Both numbers in one: sorting single values is far quicker than sorting pairs.
    joint, shared = np.unique(labels[both].astype(np.uint64) << 32 | there[both], return_counts=True)
    pairs = (joint >> 32).astype(np.uint32), joint.astype(np.uint32)
    marked, found = (np.bincount(plane.ravel()) for plane in (labels, there))
    one, other = marked[pairs[0]], found[pairs[1]]
    # Of a mark that is far too small all lies in the bead, and little of the bead in the mark.
    good = shared > 0.5 * np.minimum(one, other)
    for side in pairs:
        # What was found as one bead for several marks, or the other way round, says nothing of outlines.
        good &= np.bincount(side, weights=good)[side] == 1
    good &= (other < factor * one) & (one < factor * other)
    return pairs[0][good], pairs[1][good]


def growth(labels: Labels, there: Labels) -> float:
    """Return by how much the found beads are wider than their marks, as a share: the median over mates.

    nan without any; see `mates`.
    """
    one, other = mates(labels, there, 4.0)
    if not len(one):
        return float("nan")
    return float(np.median(np.sqrt(np.bincount(there.ravel())[other] / np.bincount(labels.ravel())[one]))) - 1
