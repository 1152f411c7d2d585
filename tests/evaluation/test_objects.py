"""The fit of the classifier of objects: against known classes, all thresholds, and too few objects."""

import dataclasses

import numpy as np
import pytest
from helpers.images import discs

from beadctl.evaluation.objects import Objects, cost, fitted
from beadctl.evaluation.scoring import Prediction
from beadctl.model.classifier import FEATURES, ObjectClassifier
from beadctl.model.perceptron import Perceptron
from beadctl.model.session import Maps
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.prediction import PredictedPlane


def images(count, each, seed=0):
    """Images of objects; those near the middle of two features are beads, which no straight line parts."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        features = rng.normal(3.0, 2.0, (each, len(FEATURES)))
        near = np.hypot(features[:, 0] - 3.0, features[:, 1] - 3.0) < 2.2
        found.append(Objects(features, near, int(near.sum())))
    return found


def test_classes_that_no_line_parts_are_learnt():
    classifier = fitted(images(40, 120))
    right = [(classifier.is_bead(one.features) == one.is_bead).mean() for one in images(10, 100, seed=1)]
    assert np.mean(right) > 0.95


def test_the_fit_is_the_same_every_time_from_one_seed():
    found = images(30, 90)
    assert fitted(found) == fitted(found)
    assert fitted(found) != fitted(found, seed=1)


def test_probabilities_are_those_of_the_objects():
    classifier = fitted(images(40, 120))
    one = images(1, 4000, seed=2)[0]
    probability = classifier.probability(one.features)
    assert probability.min() >= 0
    assert probability.max() <= 1
    assert probability.mean() == pytest.approx(one.is_bead.mean(), abs=0.03)


def test_objects_of_an_image_are_found_without_a_classifier_and_matched_with_the_truth():
    truth = discs(10, seed=1)[1].astype(np.uint32)
    seen = np.where(truth == 4, 0, truth) > 0
    # Two pieces of dirt, in corners that `discs` leaves free.
    seen[:4, :4] = seen[-4:, :4] = True
    probability = np.where(seen, 250, 5).astype(np.uint8)
    prediction = Prediction(probability, truth, PredictedPlane(Maps(probability, probability)))
    weights = Perceptron((0.0,) * len(FEATURES), (1.0,) * len(FEATURES), ((0.0,) * 9,), (0.0, 0.0))
    none = ObjectClassifier(1.0, 1.0, 0.5, weights)
    found = Objects.of(prediction, SegmentOptions(0.5, 0.3, 1, classifier=none))
    assert found.features.shape == (11, len(FEATURES))
    # Labels are in the order of the first pixel of their objects.
    assert found.is_bead.tolist() == [False, *[True] * 9, False]
    assert found.true == 10


def overlapping(missed):
    """Images of objects of which one feature tells how likely they are beads; some beads are not found."""
    rng = np.random.default_rng(4)
    for each in rng.integers(20, 80, 50):
        features = rng.normal(3.0, 2.0, (each, len(FEATURES)))
        is_bead = rng.random(each) < 1 / (1 + np.exp(3.0 - features[:, 0]))
        yield Objects(features, is_bead, int(is_bead.sum() * (1 + missed)))


def expected_cost(images, classifier):
    """The mean of (1 - F1) + count error, by precision and recall, where all images have hits."""
    costs = []
    for one in images:
        kept = classifier.is_bead(one.features)
        precision, recall = one.is_bead[kept].mean(), kept[one.is_bead].sum() / one.true
        counts = sorted([int(kept.sum()), one.true])
        costs.append(1 - 2 / (1 / precision + 1 / recall) + 1 - counts[0] / counts[1])
    return np.mean(costs)


@pytest.mark.parametrize("missed", [0, 0.15, 0.3, 0.6])
def test_the_least_probability_has_the_lowest_cost(missed):
    found = list(overlapping(missed))
    classifier = fitted(found)
    candidates = [dataclasses.replace(classifier, least=percent / 100) for percent in range(10, 55, 5)]
    costs = [expected_cost(found, one) for one in candidates]
    assert [cost(found, one) for one in candidates] == pytest.approx(costs)
    assert classifier == candidates[np.argmin(costs)]
    assert classifier.share == np.concatenate([one.is_bead for one in found]).mean()


@pytest.mark.parametrize(
    ("objects", "beads", "true", "expected"),
    [(0, 0, 0, 0), (0, 0, 2, 2), (4, 0, 0, 2), (4, 3, 3, 1 / 7 + 1 / 4), (4, 4, 5, 1 / 9 + 1 / 5)],
)
def test_the_cost_of_an_image_in_which_all_objects_are_kept(objects, beads, true, expected):
    every = ObjectClassifier(0, 0, 0.5, Perceptron((0.0,), (1.0,), ((1.0, 0.0),), (0.0, 0.0)))
    one = Objects(np.ones((objects, 1)), np.arange(objects) < beads, true)
    perfect = Objects(np.ones((2, 1)), np.ones(2, bool), 2)
    assert cost([one], every) == pytest.approx(expected)
    assert cost([one, perfect], every) == pytest.approx(expected / 2)


@pytest.mark.parametrize(("beads", "others"), [(1000, 1000), (999, 1000), (1000, 999)])
def test_a_thousand_of_each_kind_are_enough(beads, others):
    is_bead = np.arange(beads + others) < beads
    features = np.random.default_rng(0).normal(size=(len(is_bead), len(FEATURES))) + is_bead[:, None]
    classifier = fitted([Objects(features, is_bead, beads)])
    assert (classifier is not None) == (min(beads, others) == 1000)


@pytest.mark.parametrize("count", [0, 3])
def test_too_few_objects_give_no_classifier(count):
    assert fitted([*images(count, 100), Objects(np.zeros((0, len(FEATURES))), np.zeros(0, bool), 0)]) is None
