"""Comparison of a mask with the beads that a model detects in its image.

Uneven light, concentric rings or the next row of a lattice mislead edges, and edges tell little about few
beads. Detections fail in other cases, so they overrule faults that edges suggest, and reveal ones they miss.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Labels = NDArray[np.uint32]
# Overlap with the detections from which on a mask belongs to its image.
JACCARD = 0.4
# A move that keeps this share of the overlap makes it no worse: outlines are uncertain by a pixel.
NO_WORSE = 0.99
# Detections of which the first share lies in marks, and more than marks cover by the second, are parts of the
# marked beads: bright centres of lenses, or outlines that a model sees narrower.
INSIDE, INSIDE_EXCESS = 0.9, 0.2
# With fewer detections a model tells nothing,
FEWEST = 6
# nor with fewer than this share of the marks: it does not see such beads.
SEEN = 0.02
# A mark counts as detected when this share of it lies in detections.
DETECTED = 0.5


@dataclass(frozen=True)
class Detections:
    """The beads that a model detects in an image, compared with the marks of a label image, uint32 (H, W).

    Attributes
    ----------
    labels : ndarray of uint32, shape (H, W)
        Label image.
    confidence : ndarray of float64, shape (highest label + 1,)
        Confidence of each bead, 0..1, indexed by its label.
    """

    labels: Labels
    confidence: NDArray[np.float64]

    def jaccard(self, marks: Labels) -> float:
        """Return the Jaccard index of marked and detected pixels; 0 where there are none."""
        marked, found = marks > 0, self.labels > 0
        union = int((marked | found).sum())
        return int((marked & found).sum()) / union if union else 0.0

    @property
    def count(self) -> int:
        """Number of detections."""
        return int(self.labels.max(initial=0))

    def agreement(self, marks: Labels) -> Callable[[Labels], float] | None:
        """Return the measure by which marks and detections are of the same image; None if they are not.

        It is `jaccard`, or `inside` where detections are parts of the marked beads.
        """
        if self.jaccard(marks) >= JACCARD:
            return self.jaccard
        least = max(INSIDE, float((marks > 0).mean()) + INSIDE_EXCESS)
        return self.inside if self.inside(marks) >= least else None

    def inside(self, marks: Labels) -> float:
        """Return the share of detected pixels that lie in marks; 0 for few detections."""
        return float((marks[self.labels > 0] > 0).mean()) if self.count >= FEWEST else 0.0

    def see(self, marks: int) -> bool:
        """Return whether there are enough detections to contradict so many marks."""
        return self.count >= SEEN * marks

    def allow_move(self, marks: Labels, displacement: NDArray[np.float64]) -> bool:
        """Return whether a move keeps the agreement with the marks, or there is too little to tell.

        Parameters
        ----------
        marks : ndarray of uint32, shape (H, W)
            Label image of the marks.
        displacement : ndarray of float64, shape (2, 3)
            Of y and of x, px: in the middle of the image, and its change per pixel along y and along x.
        """
        agreement = self.agreement(marks)
        if agreement is None:
            return True
        height, width = marks.shape
        y, x = np.mgrid[:height, :width].astype(np.float32)
        terms = np.stack([np.ones_like(y), y - height / 2, x - width / 2])
        dy, dx = np.tensordot(displacement, terms, axes=1)
        moved = ndimage.map_coordinates(marks, [y - dy, x - dx], order=0)
        return agreement(np.asarray(moved, np.uint32)) > NO_WORSE * agreement(marks)

    def undetected(self, marks: Labels) -> NDArray[np.bool_]:
        """Return which marks have no detection under them, in order of their labels, shape (beads,)."""
        numbers = np.unique(marks[marks > 0])
        if not len(numbers):
            return np.zeros(0, bool)
        return np.asarray(ndimage.mean(self.labels > 0, marks, numbers) < DETECTED, bool)

    def match(self, marks: Labels, factor: float) -> tuple[Labels, Labels]:
        """Return the labels of marks and of the detections that they correspond to, both of shape (matches,).

        One lies mostly in the other and in no third, and their areas differ by less than `factor`.
        """
        both = (marks > 0) & (self.labels > 0)
        # A pair of labels packed into one integer: sorting these is far faster than sorting rows.
        packed = marks[both].astype(np.uint64) << 32 | self.labels[both]
        packed, shared = np.unique(packed, return_counts=True)
        pairs = (packed >> 32).astype(np.uint32), packed.astype(np.uint32)
        mark_px, detection_px = (
            np.bincount(image.ravel())[numbers]
            for image, numbers in zip((marks, self.labels), pairs, strict=True)
        )
        # Relative to the smaller one: a mark that is far too small covers little of its bead.
        good = shared > 0.5 * np.minimum(mark_px, detection_px)
        for numbers in pairs:
            # Several marks in one detection, or the other way round, tell nothing about single outlines.
            good &= np.bincount(numbers, weights=good)[numbers] == 1
        good &= (detection_px < factor * mark_px) & (mark_px < factor * detection_px)
        return pairs[0][good], pairs[1][good]

    def relative_growth(self, marks: Labels) -> float:
        """Return the median excess of detected over marked diameters, as a share; NaN without a match."""
        matched, detected = self.match(marks, 4.0)
        if not len(matched):
            return float("nan")
        areas = np.bincount(self.labels.ravel())[detected] / np.bincount(marks.ravel())[matched]
        return float(np.median(np.sqrt(areas))) - 1
