"""The classifier of objects: the share of beads in a plane, by the published iteration and known shares."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beadctl.model.classifier import ADDED, ObjectClassifier, of_plane
from beadctl.model.perceptron import Perceptron

# Of one feature: normal around +1 for beads, -1 for others; the logarithm of the odds is twice the feature.
SLOPE = 1e-3
LOGISTIC = ObjectClassifier(0.2, 0.03, 0.5, Perceptron((0.0,), (1.0,), ((SLOPE, 0.0),), (2 / SLOPE, 0.0)))


def in_plane(features):
    return of_plane(LOGISTIC.probability(features), LOGISTIC.share)


def by_iteration(probability, share):
    """The iteration of Saerens, Latinne and Decaestecker, with the added objects."""
    of_plane = share
    for _ in range(20_000):
        bead = probability * of_plane / share
        adjusted = bead / (bead + (1 - probability) * (1 - of_plane) / (1 - share))
        of_plane = (adjusted.sum() + ADDED / 2) / (len(probability) + ADDED)
    return adjusted


def drawn(count, share, seed):
    """Features of objects of which a share are beads, and which are."""
    rng = np.random.default_rng(seed)
    is_bead = rng.random(count) < share
    return rng.normal(np.where(is_bead, 1.0, -1.0))[:, None], is_bead


@given(st.lists(st.floats(-4, 4), min_size=1, max_size=30))
def test_the_share_is_that_of_the_published_iteration(features):
    features = np.array(features)[:, None]
    np.testing.assert_allclose(
        in_plane(features), by_iteration(LOGISTIC.probability(features), 0.5), atol=1e-4
    )


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_probabilities_in_a_plane_are_those_of_its_objects(share):
    features, is_bead = drawn(4000, share, seed=1)
    adjusted = in_plane(features)
    assert adjusted.mean() == pytest.approx(is_bead.mean(), abs=0.02)
    likely = adjusted > 0.7
    if likely.any():
        assert is_bead[likely].mean() == pytest.approx(adjusted[likely].mean(), abs=0.04)


@given(st.permutations(range(25)))
def test_the_order_of_the_objects_does_not_matter(order):
    features, _ = drawn(25, 0.4, seed=3)
    once = in_plane(features)
    np.testing.assert_allclose(in_plane(features[list(order)]), once[list(order)])


def test_a_lone_object_is_moved_by_half_of_what_is_added():
    """One unlikely object of a plane is judged by a share between its own probability and a half."""
    features = np.array([[-1.0]])
    alone, adjusted = LOGISTIC.probability(features)[0], in_plane(features)[0]
    assert 0.3 * alone < adjusted < alone
    assert in_plane(np.repeat(features, 100, axis=0))[0] < 0.1 * alone


@pytest.mark.parametrize("feature", [-1e6, 1e6])
def test_extreme_and_no_objects(feature):
    assert np.isfinite(in_plane(np.full((5, 1), feature))).all()
    assert in_plane(np.zeros((0, 1))).shape == (0,)


def test_unlikely_objects_are_beads_among_beads_and_none_among_dirt():
    unlikely = np.full((20, 1), -0.5)
    among_beads = LOGISTIC.is_bead(np.concatenate([unlikely, np.full((200, 1), 2.0)]))
    among_dirt = LOGISTIC.is_bead(np.concatenate([unlikely, np.full((200, 1), -2.0)]))
    assert among_beads.all()
    assert not among_dirt.any()
