"""Comparison of a mask with the beads that a model detects in its image.

Edges are fast to compare with, but uneven light, concentric rings or the next row of a lattice mislead them,
and they tell little about few beads. Detections are slower and fail in other cases, so they can overrule a
fault that edges suggest, and reveal faults that edges miss.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Labels = NDArray[np.uint32]


# Overlap with the detections from which on a mask belongs to its image.
JACCARD = 0.4
# A move that keeps this share of the overlap makes it no worse: outlines are uncertain by a pixel.
NO_WORSE = 0.99
# A mark counts as detected when this share of it lies in detections.
DETECTED = 0.5


@dataclass(frozen=True)
class Detections:
    """The beads that a model detects in an image.

    Attributes
    ----------
    labels : ndarray of uint32, shape (H, W)
        Label image.
    confidence : ndarray of float64, shape (highest label + 1,)
        Confidence of each bead, 0..1, indexed by its label.
    """

    labels: Labels
    confidence: NDArray[np.float64]


def foreground_jaccard(labels: Labels, detected: Labels) -> float:
    """Return the Jaccard index of marked and detected pixels; 0 where there are none.

    Parameters
    ----------
    labels, detected : ndarray of uint32, shape (H, W)
        Label images of the marks and of the detections.
    """
    marked, found = labels > 0, detected > 0
    union = int((marked | found).sum())
    return int((marked & found).sum()) / union if union else 0.0


def move_agrees(labels: Labels, detected: Labels, displacement: NDArray[np.float64]) -> bool:
    """Return whether a move keeps the overlap with the detections, or there is too little overlap to tell.

    Parameters
    ----------
    labels, detected : ndarray of uint32, shape (H, W)
        Label images of the marks and of the detections.
    displacement : ndarray of float64, shape (2, 3)
        Of y and of x, px: in the middle of the image, and its change per pixel along y and along x.
    """
    before = foreground_jaccard(labels, detected)
    if before < JACCARD:
        return True
    height, width = labels.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    terms = np.stack([np.ones_like(y), y - height / 2, x - width / 2])
    dy, dx = np.tensordot(displacement, terms, axes=1)
    moved = ndimage.map_coordinates(labels, [y - dy, x - dx], order=0)
    return foreground_jaccard(np.asarray(moved, np.uint32), detected) > NO_WORSE * before


def undetected(labels: Labels, detected: Labels) -> NDArray[np.bool_]:
    """Return which marks have no detection under them, in order of their labels, shape (beads,).

    Parameters
    ----------
    labels, detected : ndarray of uint32, shape (H, W)
        Label images of the marks and of the detections.
    """
    numbers = np.unique(labels[labels > 0])
    if not len(numbers):
        return np.zeros(0, bool)
    return np.asarray(ndimage.mean(detected > 0, labels, numbers) < DETECTED, bool)


def match(labels: Labels, detected: Labels, factor: float) -> tuple[Labels, Labels]:
    """Return the labels of marks and of the detections that they correspond to, both of shape (matches,).

    Of the two, one lies mostly in the other and in no third, and their areas differ by less than a factor.

    Parameters
    ----------
    labels, detected : ndarray of uint32, shape (H, W)
        Label images of the marks and of the detections.
    factor : float
        Largest ratio of the two areas.
    """
    both = (labels > 0) & (detected > 0)
    # A pair of labels packed into one integer: sorting these is far faster than sorting rows.
    packed, shared = np.unique(labels[both].astype(np.uint64) << 32 | detected[both], return_counts=True)
    pairs = (packed >> 32).astype(np.uint32), packed.astype(np.uint32)
    mark_px, detection_px = (
        np.bincount(image.ravel())[numbers] for image, numbers in zip((labels, detected), pairs, strict=True)
    )
    # Relative to the smaller one: a mark that is far too small covers little of its bead.
    good = shared > 0.5 * np.minimum(mark_px, detection_px)
    for numbers in pairs:
        # Several marks in one detection, or the other way round, tell nothing about single outlines.
        good &= np.bincount(numbers, weights=good)[numbers] == 1
    good &= (detection_px < factor * mark_px) & (mark_px < factor * detection_px)
    return pairs[0][good], pairs[1][good]


def relative_growth(labels: Labels, detected: Labels) -> float:
    """Return the median excess of a detection's diameter over that of its mark, as a share of the latter.

    NaN without a match; see `match`.

    Parameters
    ----------
    labels, detected : ndarray of uint32, shape (H, W)
        Label images of the marks and of the detections.
    """
    marks, detections = match(labels, detected, 4.0)
    if not len(marks):
        return float("nan")
    areas = np.bincount(detected.ravel())[detections] / np.bincount(labels.ravel())[marks]
    return float(np.median(np.sqrt(areas))) - 1
