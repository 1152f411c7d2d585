"""Scores of label images over many planes, as all benchmarks state them.

Centres within a tolerance are matched one to one, nearest pairs first: 4 px for microbeads and fluorescent,
half the median true diameter elsewhere. IoU50 counts pairs of instances whose intersection is more than half
of their union. F1 is over all planes together; MAPE is the mean over planes of |found - true| / true.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from real_sets import Labels, centres_of
from scipy.spatial import KDTree

from beadctl.evaluation.metrics import instance_counts


class Truth(Protocol):
    """What is true of a plane: centres, labels where known, and pixels that are not scored."""

    @property
    def centres(self) -> NDArray[np.float64]:
        """(N, 2)."""

    @property
    def tolerance_px(self) -> float:
        """Largest distance of a match."""

    @property
    def labels(self) -> Labels | None:
        """Of every bead, or None."""

    @property
    def ignored(self) -> NDArray[np.bool_] | None:
        """Where beads count neither way."""


def hits(true: NDArray[np.float64], found: NDArray[np.float64], tolerance_px: float) -> int:
    """Match centres one to one, nearest pairs first."""
    if not len(true) or not len(found):
        return 0
    pairs = KDTree(true).sparse_distance_matrix(KDTree(found), tolerance_px, output_type="ndarray")
    taken_true, taken_found = set(), set()
    for true_index, found_index, _ in pairs[np.argsort(pairs["v"], kind="stable")]:
        if true_index not in taken_true and found_index not in taken_found:
            taken_true.add(true_index)
            taken_found.add(found_index)
    return len(taken_true)


def scored_centres(truth: Truth, labels: Labels) -> NDArray[np.float64]:
    """Return the centroids of the labels that are scored."""
    centres = centres_of(labels)
    if truth.ignored is not None and len(centres):
        centres = centres[~truth.ignored[tuple(centres.astype(int).T)]]
    return centres


@dataclass(frozen=True)
class Scores:
    """Scores over planes; `iou_f1` is None where no outlines are annotated."""

    centre_f1: float
    iou_f1: float | None
    count_mape: float

    @classmethod
    def of(cls, pairs: Iterable[tuple[Truth, Labels]]) -> "Scores":
        """Score label images against what is true of their planes."""
        tp = total = overlap_tp = overlap_total = 0
        errors = []
        for truth, labels in pairs:
            centres = scored_centres(truth, labels)
            tp += hits(truth.centres, centres, truth.tolerance_px)
            total += len(truth.centres) + len(centres)
            errors.append(abs(len(centres) - len(truth.centres)) / max(len(truth.centres), 1))
            if truth.labels is not None and truth.ignored is None:
                counts = instance_counts(truth.labels.astype(np.uint32), labels)
                overlap_tp += counts.tp[0]
                overlap_total += 2 * counts.tp[0] + counts.fp[0] + counts.fn[0]
        iou_f1 = 2 * overlap_tp / overlap_total if overlap_total else None
        return cls(2 * tp / max(1, total), iou_f1, float(np.mean(errors)))

    def cells(self, base: "Scores | None" = None) -> list[str]:
        """Return the figures, or their differences to others."""
        pairs = [(getattr(self, name), getattr(base, name) if base else 0.0) for name in vars(self)]
        shape = "{:+.3f}" if base else "{:.3f}"
        return ["" if mine is None or other is None else shape.format(mine - other) for mine, other in pairs]
