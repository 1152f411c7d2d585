"""The reviewer in the metadata of a model file: round trip, refusal of what is none, and probabilities."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beadctl.model.perceptron import Perceptron
from beadctl.model.reviewer import REVIEW_FEATURES, Reviewer

SIZE = len(REVIEW_FEATURES)
REVIEWER = Reviewer(
    Perceptron((0.5,) * SIZE, (2.0,) * SIZE, ((0.1,) * (SIZE + 1),) * 3, (1.0, 2.0, -1.0, 0.5))
)


def test_a_reviewer_is_read_as_it_was_written():
    assert Reviewer.from_json(json.loads(json.dumps(REVIEWER.to_json()))) == REVIEWER


@pytest.mark.parametrize(
    "changed",
    [
        {"features": ["colour"]},
        {"middle": [0.5]},
        {"spread": [0.0] * SIZE},
        {"hidden": [[0.1]]},
        {"output": [float("inf")] * 4},
    ],
)
def test_what_is_no_reviewer_is_refused(changed):
    with pytest.raises(ValueError, match=r"perceptron|features"):
        Reviewer.from_json(REVIEWER.to_json() | changed)


@given(st.lists(st.floats(-1e6, 1e6), min_size=SIZE, max_size=SIZE))
def test_doubt_is_the_probability_of_the_log_odds(features):
    shown = np.array(features)
    odds = np.exp(REVIEWER.perceptron.log_odds(shown[None])[0])
    assert REVIEWER.doubt(shown) == pytest.approx(odds / (1 + odds))
