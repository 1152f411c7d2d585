"""Objects that are no beads are left out by the classifier of the model file."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.images import discs

from beadctl.model.classifier import FEATURES, ObjectClassifier
from beadctl.model.perceptron import Perceptron
from beadctl.model.session import Maps
from beadctl.segmentation.measure import measure
from beadctl.segmentation.objects import LENIENT, STRICT, features_of, judged
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.plane import label_plane
from beadctl.segmentation.prediction import PredictedPlane

OPTIONS = SegmentOptions(0.5, 0.3, 1)


def by_circularity(least):
    """A classifier by which an object is a bead if its circularity is above 0.8."""
    weights = [0.0] * (len(FEATURES) + 1)
    weights[FEATURES.index("circularity")] = 1.0
    middle = tuple(0.8 if name == "circularity" else 0.0 for name in FEATURES)
    perceptron = Perceptron(middle, (1.0,) * len(FEATURES), (tuple(weights),), (100.0, 0.0))
    return ObjectClassifier(least, 0.0, 0.5, perceptron)


def plane(rods=()):
    """Maps of discs and of rods, each a row and a column to begin with, of 3 x 40 px."""
    image, truth = discs(12, seed=3)
    truth = truth.astype(np.uint32)
    truth[:50] = 0
    for row, column in rods:
        truth[row : row + 3, column : column + 40] = truth.max() + 1
    probability = np.where(truth > 0, 250, 0).astype(np.uint8)
    return image, truth, Maps(probability, np.where(truth > 0, 200, 0).astype(np.uint8))


def test_rods_are_left_out_and_discs_stay_numbered_from_one():
    image, truth, maps = plane([(5, 10), (20, 60)])
    discs_alone = len(np.unique(truth)) - 1 - 2
    found = label_plane(PredictedPlane(maps), image, replace(OPTIONS, classifier=by_circularity(0.5)))
    assert len(found.table) == found.labels.max() == discs_alone
    assert not found.labels[:50].any()
    np.testing.assert_array_equal(found.table.label, np.arange(1, discs_alone + 1))
    with_rods = label_plane(PredictedPlane(maps), image, OPTIONS)
    assert len(with_rods.table) == discs_alone + 2


def test_a_bead_beside_what_is_left_out_touches_nothing():
    image, _, maps = plane()
    labels = np.zeros(image.shape, np.uint32)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    labels[(y - 50) ** 2 + (x - 60) ** 2 < 81] = 1
    labels[59:62, 20:90] = 2
    marker = np.where(labels == 1, 200, 0).astype(np.uint8)
    marker[60:62, 20:90] = 150
    maps = Maps(np.where(labels > 0, 250, 0).astype(np.uint8), marker)
    both = label_plane(PredictedPlane(maps), image, OPTIONS)
    one = label_plane(PredictedPlane(maps), image, replace(OPTIONS, classifier=by_circularity(0.5)))
    assert both.table.clump.tolist() == [True, True]
    assert one.table.clump.tolist() == [False]


@pytest.mark.parametrize("turn", [np.rot90, np.flipud, np.transpose])
def test_features_do_not_depend_on_how_a_plane_is_turned(turn):
    _, truth, maps = plane([(5, 10)])

    def sorted_features(labels, maps):
        table = measure(labels, None, maps.probability, maps.marker)
        rows = features_of(table)
        return rows[np.lexsort(rows.round(9).T)]

    turned = Maps(*(np.ascontiguousarray(turn(one)) for one in maps.planes))
    np.testing.assert_allclose(
        sorted_features(np.ascontiguousarray(turn(truth)), turned), sorted_features(truth, maps), atol=1e-9
    )


def test_a_stated_diameter_is_the_typical_one():
    _, truth, maps = plane()
    table = measure(truth, None, maps.probability, maps.marker)
    ratio = FEATURES.index("log-diameter-ratio")
    found = features_of(table, 7.0)[:, ratio]
    np.testing.assert_allclose(found, np.abs(np.log(table.diameter_px / 7.0)))
    by_median = features_of(table)[:, ratio]
    np.testing.assert_allclose(by_median, np.abs(np.log(table.diameter_px / np.median(table.diameter_px))))


def test_objects_that_other_thresholds_would_judge_otherwise_are_unsure_and_doubt_says_so():
    image, truth, maps = plane([(5, 10)])
    table = measure(truth, None, maps.probability, maps.marker)
    by_shape = by_circularity(0.5)
    classifier = replace(by_shape, perceptron=replace(by_shape.perceptron, output=(2.0, 0.0)))
    probability = classifier.probability(features_of(table))
    unsure = judged(table, classifier).unsure
    assert unsure == np.count_nonzero((probability >= LENIENT) & (probability < STRICT)) > 2
    sure = label_plane(PredictedPlane(maps), image, OPTIONS)
    with_classifier = label_plane(PredictedPlane(maps), image, replace(OPTIONS, classifier=classifier))

    def unstable(one):
        """Beads that are more or fewer at other thresholds, by the doubt."""
        return one.doubt / (1 - one.doubt) * max(len(one.table), 3)

    assert unstable(with_classifier) == pytest.approx(unstable(sure) + unsure)


def test_nothing_is_left_out_without_a_classifier_or_objects():
    _, truth, maps = plane([(5, 10)])
    table = measure(truth, None, maps.probability, maps.marker)
    assert not judged(table, None).gone.any()
    empty = np.zeros_like(truth)
    table = measure(empty, None, maps.probability, maps.marker)
    assert judged(table, by_circularity(0.5)).gone.shape == (0,)
    assert features_of(table).shape == (0, len(FEATURES))


def test_a_model_without_marker_map_is_judged_by_its_probability():
    _, truth, maps = plane()
    table = measure(truth, None, maps.probability, None)
    found = features_of(table)
    names = [FEATURES.index(name) for name in ("log-probability", "log-marker")]
    np.testing.assert_allclose(found[:, names[0]], found[:, names[1]])
