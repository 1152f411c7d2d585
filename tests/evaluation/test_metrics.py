import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import linear_sum_assignment

from beadctl.evaluation import metrics
from beadctl.evaluation.metrics import CountErrors, InstanceCounts, MatchCounts

LABELS = st.sampled_from((0, 1, 2, 3, 9))
PAIRS = hnp.array_shapes(min_dims=2, max_dims=2, max_side=9).flatmap(
    lambda shape: st.tuples(*[hnp.arrays(np.uint32, shape, elements=LABELS)] * 2)
)


@st.composite
def near_pairs(draw):
    """Blocky beads and a copy with some pixels changed: overlaps of every size."""
    coarse = draw(hnp.arrays(np.uint32, (3, 4), elements=st.integers(0, 6)))
    true = np.kron(coarse, np.ones((3, 3), dtype=np.uint32))
    changed = draw(hnp.arrays(np.bool_, true.shape))
    sparse = changed & draw(hnp.arrays(np.bool_, true.shape))
    return true, np.where(sparse, draw(hnp.arrays(np.uint32, true.shape, elements=st.integers(0, 6))), true)


def masks(labels):
    return [labels == value for value in np.unique(labels) if value]


def oracle(true, predicted, threshold):
    """Optimal assignment over the dense matrix of overlaps of boolean masks."""
    rows, columns = masks(true), masks(predicted)
    iou = np.zeros((len(rows), len(columns)))
    for i, a in enumerate(rows):
        for j, b in enumerate(columns):
            iou[i, j] = (a & b).sum() / (a | b).sum()
    iou[iou <= threshold] = 0
    i, j = linear_sum_assignment(iou, maximize=True)
    paired = iou[i, j][iou[i, j] > 0]
    return len(paired), len(columns) - len(paired), len(rows) - len(paired), paired.sum()


@settings(max_examples=150, deadline=None)
@given(pair=st.one_of(near_pairs(), PAIRS))
def test_instances_match_as_by_the_best_assignment(pair):
    counts = metrics.instance_counts(*pair)
    for k, threshold in enumerate(metrics.IOU_THRESHOLDS):
        tp, fp, fn, iou = oracle(*pair, threshold)
        assert (counts.tp[k], counts.fp[k], counts.fn[k]) == (tp, fp, fn)
        assert counts.iou_sum[k] == pytest.approx(iou)
        if tp + fp + fn:
            assert counts.f1(threshold) == pytest.approx(tp / (tp + fp / 2 + fn / 2))
            assert counts.ap(threshold) == pytest.approx(tp / (tp + fp + fn))
            assert counts.pq(threshold) == pytest.approx(iou / (tp + fp / 2 + fn / 2))


@given(pair=near_pairs())
def test_the_labels_of_matched_beads_are_those_that_overlap_by_more_than_half(pair):
    true, found = pair
    expected = [
        [a, b]
        for a in np.unique(true[true > 0])
        for b in np.unique(found[found > 0])
        if 2 * ((true == a) & (found == b)).sum() > ((true == a) | (found == b)).sum()
    ]
    assert sorted(metrics.matched_labels(true, found).tolist()) == expected


@given(pair=near_pairs(), order=st.permutations(range(1, 7)))
def test_label_values_do_not_matter(pair, order):
    true, predicted = pair
    renamed = np.array([0, *order], dtype=np.int64)[predicted] * 700_000_001
    assert metrics.instance_counts(true, renamed) == metrics.instance_counts(true, predicted)
    assert metrics.pixel_counts(true, renamed) == metrics.pixel_counts(true, predicted)


@given(pair=near_pairs())
def test_exchanging_truth_and_prediction_exchanges_precision_and_recall(pair):
    there, back = metrics.instance_counts(*pair), metrics.instance_counts(*pair[::-1])
    assert (there.tp, there.fp, there.fn, there.iou_sum) == (back.tp, back.fn, back.fp, back.iou_sum)
    pixels, swapped = metrics.pixel_counts(*pair), metrics.pixel_counts(*pair[::-1])
    assert pixels.precision == pytest.approx(swapped.recall, nan_ok=True)
    assert pixels.jaccard == swapped.jaccard


@given(pair=near_pairs())
def test_a_perfect_prediction_scores_one(pair):
    true = pair[0]
    counts = metrics.instance_counts(true, true)
    assert counts.mean_ap == 1
    assert all(counts.f1(t) == counts.ap(t) == counts.pq(t) == 1 for t in metrics.IOU_THRESHOLDS)
    assert metrics.pixel_counts(true, true).jaccard == metrics.pixel_counts(true, true).f1 == 1


@given(first=near_pairs(), second=near_pairs())
def test_images_add_up_to_one_image_of_both(first, second):
    # Distinct labels in the two halves, since all pixels of a label are one bead.
    apart = [np.where(labels, labels + 10, 0) for labels in second]
    both = [np.hstack((a, b)) for a, b in zip(first, apart, strict=True)]
    added = sum((metrics.instance_counts(*pair) for pair in (first, second)), start=InstanceCounts())
    whole = metrics.instance_counts(*both)
    assert (added.tp, added.fp, added.fn) == (whole.tp, whole.fp, whole.fn)
    assert added.iou_sum == pytest.approx(whole.iou_sum)
    pixels = sum((metrics.pixel_counts(*pair) for pair in (first, second)), start=MatchCounts())
    assert pixels == metrics.pixel_counts(*both)


def test_an_overlap_of_exactly_the_threshold_is_no_match():
    for k, threshold in enumerate(metrics.IOU_THRESHOLDS):
        common = round(100 * threshold)
        true = np.ones((1, 100), dtype=np.uint32)
        predicted = true * (np.arange(100) < common)
        counts = metrics.instance_counts(true, predicted)
        assert counts.tp[k] == 0
        assert metrics.instance_counts(true, true * (np.arange(100) <= common)).tp[k] == 1


def test_a_bead_split_in_two_and_two_beads_merged():
    true = np.array([[1] * 10 + [0] + [2] * 5 + [3] * 5])
    predicted = np.array([[1] * 6 + [2] * 4 + [0] + [3] * 10])
    counts = metrics.instance_counts(true, predicted)
    assert (counts.tp[0], counts.fp[0], counts.fn[0]) == (1, 2, 2)
    assert counts.iou_sum[0] == pytest.approx(0.6)
    assert counts.pq(0.5) == pytest.approx(0.6 / 3)
    assert counts.ap(0.5) == pytest.approx(1 / 5)
    assert counts.ap(0.6) == 0
    assert counts.mean_ap == pytest.approx((1 / 5 + 1 / 5) / 9)


def test_figures_are_ratios_of_sums_not_means_of_ratios():
    sparse, crowded = MatchCounts(tp=1, fn=1), MatchCounts(tp=98, fp=0, fn=0)
    assert (sparse + crowded).recall == pytest.approx(99 / 100)


def test_pixels_by_hand():
    counts = metrics.pixel_counts(np.array([[1, 2, 0, 0]]), np.array([[0, 7, 7, 0]]))
    assert counts == MatchCounts(tp=1, fp=1, fn=1)
    assert (counts.jaccard, counts.f1) == (1 / 3, 1 / 2)
    assert (counts.precision, counts.recall) == (1 / 2, 1 / 2)
    assert metrics.pixel_counts(np.array([True]), np.array([255])) == MatchCounts(tp=1)


def test_empty_images():
    empty, full = np.zeros((4, 5), np.uint32), np.ones((4, 5), np.uint32)
    nothing = metrics.pixel_counts(empty, empty)
    assert (nothing.jaccard, nothing.f1) == (1, 1)
    assert math.isnan(nothing.precision)
    assert math.isnan(nothing.recall)
    assert metrics.pixel_counts(full, empty).jaccard == 0
    none = metrics.instance_counts(empty, empty)
    assert none == InstanceCounts()
    assert none.f1(0.5) == none.ap(0.5) == none.pq(0.5) == none.mean_ap == 1
    assert metrics.instance_counts(empty, full).fp == (1,) * 9
    assert metrics.instance_counts(full, empty).fn == (1,) * 9
    assert metrics.instance_counts(full, empty).pq(0.5) == 0
    assert metrics.instance_counts(empty[:0], empty[:0]) == InstanceCounts()


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="the truth is"):
        metrics.instance_counts(np.zeros((2, 3), int), np.zeros((3, 2), int))
    with pytest.raises(ValueError, match="the truth is"):
        metrics.pixel_counts(np.zeros((2, 3), int), np.zeros((2, 1), int))
    with pytest.raises(ValueError, match="none of"):
        InstanceCounts().f1(0.52)
    with pytest.raises(ValueError, match="1 true counts"):
        CountErrors((1,), ())


CENTRES = hnp.arrays(np.float64, st.tuples(st.integers(0, 8), st.just(2)), elements=st.integers(0, 12))


@settings(max_examples=150, deadline=None)
@given(true=CENTRES, found=CENTRES, tolerance_px=st.sampled_from((0.0, 1.0, 2.0, 4.5)))
def test_as_many_centres_as_possible_are_matched(true, found, tolerance_px):
    within = np.hypot(*(true[:, None] - found[None]).transpose(2, 0, 1)) <= tolerance_px
    i, j = linear_sum_assignment(within, maximize=True)
    tp = int(within[i, j].sum())
    counts = metrics.centre_counts(true, found, tolerance_px)
    assert counts == MatchCounts(tp, len(found) - tp, len(true) - tp)
    swapped = metrics.centre_counts(found, true, tolerance_px)
    assert swapped == MatchCounts(counts.tp, counts.fn, counts.fp)
    shuffled = metrics.centre_counts(true[::-1], np.roll(found, 1, axis=0), tolerance_px)
    assert shuffled == counts


def test_a_nearer_pair_leaves_no_bead_unmatched():
    true, found = np.array([[0.0, 0], [0, 3]]), np.array([[0.0, 2], [0, 6]])
    assert metrics.centre_counts(true, found, 3) == MatchCounts(tp=2)


def test_centres_by_hand():
    counts = metrics.centre_counts(np.array([[5.0, 5], [50, 50]]), np.array([[5.0, 8], [6, 5], [90, 9]]), 4)
    assert counts == MatchCounts(tp=1, fp=2, fn=1)
    assert counts.f1 == 2 / 5
    assert counts + counts == MatchCounts(2, 4, 2)
    assert metrics.centre_counts(np.empty(0), np.empty((0, 2)), 4).f1 == 1


def test_count_errors_by_hand():
    errors = CountErrors((10, 0), (12, 1)) + CountErrors((20,), (16,))
    assert errors == CountErrors((10, 0, 20), (12, 1, 16))
    assert errors.mae == pytest.approx(7 / 3)
    assert errors.mape == pytest.approx((0.2 + 1 + 0.2) / 3)
    assert errors.bias == pytest.approx(-1 / 30)
    assert errors.r2 == pytest.approx(1 - (4 + 1 + 16) / 200)


def test_count_errors_without_a_value():
    for name in ("mae", "mape", "bias", "r2"):
        assert math.isnan(getattr(CountErrors(), name))
    assert math.isnan(CountErrors((0, 0), (1, 0)).bias)
    assert math.isnan(CountErrors((4, 4), (4, 4)).r2)
    assert CountErrors((0,), (2,)).mape == 2


@given(counts=st.lists(st.integers(0, 5000), min_size=1), others=st.data())
def test_count_errors_follow_their_definitions(counts, others):
    found = others.draw(st.lists(st.integers(0, 5000), min_size=len(counts), max_size=len(counts)))
    t, f = np.array(counts, float), np.array(found, float)
    errors = sum((CountErrors((a,), (b,)) for a, b in zip(counts, found, strict=True)), start=CountErrors())
    assert errors.mae == pytest.approx(np.abs(f - t).mean())
    assert errors.mape == pytest.approx((np.abs(f - t) / np.maximum(t, 1)).mean())
    if t.sum():
        assert errors.bias == pytest.approx((f - t).sum() / t.sum())
    if t.std():
        assert errors.r2 == pytest.approx(1 - ((f - t) ** 2).sum() / ((t - t.mean()) ** 2).sum())
