"""Agreement of a prediction with the truth: pixels, instances, centres and counts.

Counts are summed over all images, ``sum(per_image, start=MatchCounts())``, and one ratio is taken at the end
(torchmetrics' *micro* average). A mean of per-image ratios would give an image with two beads the weight of
one with two thousand, and is undefined for an image without any.
"""

import dataclasses
import math
from dataclasses import dataclass
from operator import add
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching
from scipy.spatial import KDTree

IOU_THRESHOLDS = (0.50, 0.55, 0.60, 0.65, 0.70, 0.75, 0.80, 0.85, 0.90)

_ZEROS = (0,) * len(IOU_THRESHOLDS)


def _ratio(part: float, whole: float, empty: float) -> float:
    return part / whole if whole else empty


@dataclass(frozen=True)
class MatchCounts:
    """True positives, false positives and false negatives: pixels, or beads matched with true ones."""

    tp: int = 0
    fp: int = 0
    fn: int = 0

    def __add__(self, other: Self) -> "MatchCounts":
        return MatchCounts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def jaccard(self) -> float:
        """TP / (TP + FP + FN), of pixels the intersection over union; 1 where both are empty."""
        return _ratio(self.tp, self.tp + self.fp + self.fn, 1.0)

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN), of pixels the Dice coefficient; 1 where both are empty."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn, 1.0)

    @property
    def precision(self) -> float:
        """TP / (TP + FP); nan where nothing was predicted."""
        return _ratio(self.tp, self.tp + self.fp, math.nan)

    @property
    def recall(self) -> float:
        """TP / (TP + FN); nan where the truth is empty."""
        return _ratio(self.tp, self.tp + self.fn, math.nan)


def pixel_counts(true_labels: NDArray[Any], predicted_labels: NDArray[Any]) -> MatchCounts:
    """Compare two masks pixel by pixel.

    Parameters
    ----------
    true_labels, predicted_labels : ndarray, shape (H, W)
        Label images or masks; every value but 0 is bead.

    Raises
    ------
    ValueError
        The shapes differ.
    """
    _require_one_shape(true_labels, predicted_labels)
    true, predicted = true_labels != 0, predicted_labels != 0
    tp = int(np.count_nonzero(true & predicted))
    return MatchCounts(tp, int(np.count_nonzero(predicted)) - tp, int(np.count_nonzero(true)) - tp)


@dataclass(frozen=True)
class InstanceCounts:
    """Beads matched by overlap: one entry for each of `IOU_THRESHOLDS`.

    All ratios are 1 for images without true and predicted beads.

    Attributes
    ----------
    tp, fp, fn : tuple of int
        Pairs of a true and a predicted bead, predicted beads without a partner, and true ones.
    iou_sum : tuple of float
        Intersection over union, summed over the pairs.
    """

    tp: tuple[int, ...] = _ZEROS
    fp: tuple[int, ...] = _ZEROS
    fn: tuple[int, ...] = _ZEROS
    iou_sum: tuple[float, ...] = (0.0,) * len(IOU_THRESHOLDS)

    def __add__(self, other: Self) -> "InstanceCounts":
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)
        return InstanceCounts(*(tuple(map(add, left, right)) for left, right in pairs))

    def at(self, threshold: float) -> MatchCounts:
        """Return the counts at one of `IOU_THRESHOLDS`."""
        k = _position(threshold)
        return MatchCounts(self.tp[k], self.fp[k], self.fn[k])

    def f1(self, threshold: float) -> float:
        """Return 2 TP / (2 TP + FP + FN) at one of `IOU_THRESHOLDS`."""
        return self.at(threshold).f1

    def ap(self, threshold: float) -> float:
        """Return TP / (TP + FP + FN) at one of `IOU_THRESHOLDS`.

        The "average precision" of the 2018 Data Science Bowl, StarDist and Cellpose. That of COCO is another
        measure: the area under a precision-recall curve, which needs a score for every bead.
        """
        return self.at(threshold).jaccard

    def pq(self, threshold: float) -> float:
        """Return the panoptic quality, sum of IoU / (TP + FP/2 + FN/2), at one of `IOU_THRESHOLDS`.

        Kirillov et al., "Panoptic Segmentation", CVPR 2019, equation 1 (which has the threshold at 0.5).
        """
        k = _position(threshold)
        return _ratio(self.iou_sum[k], self.tp[k] + (self.fp[k] + self.fn[k]) / 2, 1.0)

    @property
    def mean_ap(self) -> float:
        """Mean of `ap` over `IOU_THRESHOLDS`; not the measure of that name in COCO."""
        return math.fsum(self.ap(threshold) for threshold in IOU_THRESHOLDS) / len(IOU_THRESHOLDS)


def instance_counts(true_labels: NDArray[Any], predicted_labels: NDArray[Any]) -> InstanceCounts:
    """Match the beads of two label images by overlap.

    A pair matches where its intersection over union is greater than the threshold. Above 0.5 no bead can
    have two partners (Kirillov et al. 2019, section 4.1), so the matching is unique.

    Parameters
    ----------
    true_labels, predicted_labels : ndarray of int, shape (H, W)
        Label images, 0 for background, labels in any order and with gaps; all pixels of a label are a bead.

    Raises
    ------
    ValueError
        The shapes differ.
    """
    _, _, iou, n_true, n_predicted = _overlaps(true_labels, predicted_labels)
    matched = [iou[iou > threshold] for threshold in IOU_THRESHOLDS]
    return InstanceCounts(
        tp=tuple(pairs.size for pairs in matched),
        fp=tuple(n_predicted - pairs.size for pairs in matched),
        fn=tuple(n_true - pairs.size for pairs in matched),
        iou_sum=tuple(math.fsum(pairs) for pairs in matched),
    )


def matched_labels(true_labels: NDArray[Any], predicted_labels: NDArray[Any]) -> NDArray[np.int64]:
    """Return true and predicted label, int64 (N, 2), of the pairs that `instance_counts` counts at 0.5.

    Parameters
    ----------
    true_labels, predicted_labels
        As for `instance_counts`.
    """
    of_true, of_predicted, iou, *_ = _overlaps(true_labels, predicted_labels)
    return np.stack((of_true, of_predicted), axis=1)[iou > 0.5]


def _overlaps(
    true_labels: NDArray[Any], predicted_labels: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], int, int]:
    """Return labels and IoU of all overlapping pairs, and the numbers of true and predicted beads."""
    _require_one_shape(true_labels, predicted_labels)
    # Runs of pixels over which neither label changes are about a hundredfold fewer than pixels: sorting them
    # is cheap, and avoids a matrix of all true by all predicted beads.
    true, predicted = true_labels.ravel(), predicted_labels.ravel()
    changes = np.flatnonzero((true[1:] != true[:-1]) | (predicted[1:] != predicted[:-1])) + 1
    starts = np.concatenate((np.zeros(min(1, true.size), dtype=np.intp), changes))
    lengths = np.diff(starts, append=true.size)
    true_names, of_true, true_area = _areas(true[starts], lengths)
    predicted_names, of_predicted, predicted_area = _areas(predicted[starts], lengths)

    stride = max(1, predicted_area.size)
    keys, of_key = np.unique(of_true * stride + of_predicted, return_inverse=True)
    common = np.bincount(of_key, weights=lengths).astype(np.int64)
    t, p = np.divmod(keys, stride)
    beads = (true_names[t] != 0) & (predicted_names[p] != 0)
    iou = common[beads] / (true_area[t] + predicted_area[p] - common)[beads]
    numbers = int(np.count_nonzero(true_names)), int(np.count_nonzero(predicted_names))
    return true_names[t[beads]], predicted_names[p[beads]], iou, *numbers


def centre_counts(
    true_centres_yx: NDArray[np.floating[Any]],
    found_centres_yx: NDArray[np.floating[Any]],
    tolerance_px: float,
) -> MatchCounts:
    """Match as many centres as possible one to one within a distance.

    A maximum matching of the bipartite graph of all pairs within the tolerance (Hopcroft & Karp 1973). The
    common greedy rule, nearest pair first, can leave a bead unmatched whose only partner went to a
    neighbour, and depends on the order of the centres where distances tie. Both agree where beads are
    further apart than twice the tolerance.

    Parameters
    ----------
    true_centres_yx, found_centres_yx : ndarray, shape (N, 2) and (M, 2)
        y and x, px; either may be empty.
    tolerance_px : float
        Largest distance of a pair, inclusive, px.
    """
    true = np.asarray(true_centres_yx, dtype=np.float64).reshape(-1, 2)
    found = np.asarray(found_centres_yx, dtype=np.float64).reshape(-1, 2)
    tp = 0
    if len(true) and len(found):
        near = KDTree(true).sparse_distance_matrix(KDTree(found), tolerance_px, output_type="ndarray")
        pairs = csr_array(
            (np.ones(near.size, dtype=bool), (near["i"], near["j"])), shape=(len(true), len(found))
        )
        tp = int(np.count_nonzero(maximum_bipartite_matching(pairs, perm_type="column") >= 0))
    return MatchCounts(tp, len(found) - tp, len(true) - tp)


@dataclass(frozen=True)
class CountErrors:
    """True and found bead counts of each image; all ratios are nan for no images."""

    true: tuple[int, ...] = ()
    found: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if len(self.true) != len(self.found):
            raise ValueError(f"{len(self.true)} true counts but {len(self.found)} found")

    def __add__(self, other: Self) -> "CountErrors":
        return CountErrors(self.true + other.true, self.found + other.found)

    @property
    def mae(self) -> float:
        """Mean absolute error, in beads an image."""
        errors = (abs(f - t) for t, f in zip(self.true, self.found, strict=True))
        return _ratio(math.fsum(errors), len(self.true), math.nan)

    @property
    def mape(self) -> float:
        """Mean absolute error relative to max(true, 1), so that an empty image counts too; 0.1 is 10 %."""
        errors = (abs(f - t) / max(t, 1) for t, f in zip(self.true, self.found, strict=True))
        return _ratio(math.fsum(errors), len(self.true), math.nan)

    @property
    def bias(self) -> float:
        """Sum of (found - true) over sum of true: above 0 too many; nan where there is no true bead."""
        return _ratio(sum(self.found) - sum(self.true), sum(self.true), math.nan)

    @property
    def r2(self) -> float:
        """Coefficient of determination of found = true, 1 - SS_res / SS_tot; nan where true is constant.

        Unlike the square of Pearson's r it penalises a constant factor, and is below 0 where the mean true
        count would be the better prediction.
        """
        if not self.true:
            return math.nan
        mean = sum(self.true) / len(self.true)
        residual = math.fsum((f - t) ** 2 for t, f in zip(self.true, self.found, strict=True))
        total = math.fsum((t - mean) ** 2 for t in self.true)
        return 1 - _ratio(residual, total, math.nan)


def _require_one_shape(true_labels: NDArray[Any], predicted_labels: NDArray[Any]) -> None:
    if true_labels.shape != predicted_labels.shape:
        raise ValueError(f"the truth is {true_labels.shape}, the prediction {predicted_labels.shape}")


def _position(threshold: float) -> int:
    for k, known in enumerate(IOU_THRESHOLDS):
        if math.isclose(known, threshold, abs_tol=1e-9):
            return k
    raise ValueError(f"IoU threshold {threshold} is none of {IOU_THRESHOLDS}")


def _areas(
    labels: NDArray[Any], lengths: NDArray[np.intp]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct labels, the position of each run's label among them, and their areas in px."""
    distinct, position = np.unique(labels, return_inverse=True)
    area = np.bincount(position, weights=lengths, minlength=distinct.size).astype(np.int64)
    return distinct.astype(np.int64), position.astype(np.int64), area
