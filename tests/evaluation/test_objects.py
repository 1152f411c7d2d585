"""The fit of the classifier of objects: against known classes, numerical gradients, and too few objects."""

import numpy as np
import pytest

from beadctl.evaluation.objects import Objects, fitted
from beadctl.model.classifier import FEATURES


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


def test_the_fit_is_the_same_every_time():
    assert fitted(images(40, 120)) == fitted(images(40, 120))


def test_probabilities_are_those_of_the_objects():
    classifier = fitted(images(40, 120))
    one = images(1, 4000, seed=2)[0]
    probability = classifier.probability(one.features)
    assert probability.min() >= 0
    assert probability.max() <= 1
    assert probability.mean() == pytest.approx(one.is_bead.mean(), abs=0.03)


@pytest.mark.parametrize("count", [0, 3])
def test_too_few_objects_give_no_classifier(count):
    assert fitted([*images(count, 100), Objects(np.zeros((0, len(FEATURES))), np.zeros(0, bool), 0)]) is None
