"""The fit of the classifier of objects: against known classes, numerical gradients, and too few objects."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import check_grad

from beadctl.evaluation import objects
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


def test_the_gradient_is_the_numerical_one():
    one = images(1, 50)[0]
    scaled = (one.features - 3.0) / 2.0
    shapes = (len(FEATURES) + 1, 3), (4,)
    weights = np.random.default_rng(4).normal(size=(len(FEATURES) + 1) * 3 + 4)
    arguments = scaled, one.is_bead, shapes
    error = check_grad(
        lambda w: objects.cross_entropy(w, *arguments)[0],
        lambda w: objects.cross_entropy(w, *arguments)[1],
        weights,
    )
    assert error < 1e-6


def test_what_costs_most_is_left_out():
    """Objects of a low probability are left out only where most of them are no beads."""
    one = images(40, 120)
    classifier = fitted(one)
    everything = replace(classifier, least=0.0)
    assert objects.cost(one, classifier) < objects.cost(one, everything)
