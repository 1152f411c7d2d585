"""The fit of the reviewer: what is a wrong count, and that planes of wrong counts are told."""

import dataclasses

import numpy as np
import pytest
from helpers.segmented import segmented

from beadctl.evaluation.reviews import Reviewed, fitted_reviewer
from beadctl.model.reviewer import REVIEW_FEATURES

SIZE = len(REVIEW_FEATURES)


def dots(count):
    """Return a label image of so many beads of one pixel."""
    labels = np.zeros((9, 60), np.uint32)
    labels[4, 2 : 2 + 4 * count : 4] = np.arange(1, count + 1)
    return labels


def reviewed(found, true, features=(0.0,) * SIZE):
    plane = dataclasses.replace(segmented(dots(found)), features=np.array(features))
    return Reviewed.of(plane, dots(true))


@pytest.mark.parametrize(
    ("found", "true", "wrong"),
    [(10, 10, False), (12, 10, False), (13, 10, True), (7, 9, True), (1, 0, False), (2, 0, True)],
)
def test_a_count_is_wrong_if_it_is_off_by_over_a_fifth_and_by_more_than_one(found, true, wrong):
    assert reviewed(found, true).is_wrong == wrong


def test_a_plane_that_no_network_saw_cannot_be_reviewed():
    with pytest.raises(ValueError, match="no network"):
        Reviewed.of(segmented(dots(3)), dots(3))


def test_the_reviewer_doubts_what_is_like_planes_of_wrong_counts():
    rng = np.random.default_rng(3)
    planes = []
    for _ in range(300):
        features = rng.normal(size=SIZE)
        wrong = features[1] + features[5] > 0.5
        planes.append(reviewed(9 if wrong else 6, 6, features))
    reviewer = fitted_reviewer(planes)
    sure, unsure = np.zeros((2, SIZE))
    sure[[1, 5]], unsure[[1, 5]] = -1.5, 2.0
    assert reviewer.doubt(sure) < 0.1 < 0.9 < reviewer.doubt(unsure)
    assert fitted_reviewer(planes) == reviewer
