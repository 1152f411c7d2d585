"""The joiner in the metadata of a model file: round trip, and refusal of what is none."""

import json

import pytest

from beadctl.model.joiner import JOIN_FEATURES, Joiner
from beadctl.model.perceptron import Perceptron

SIZE = len(JOIN_FEATURES)
JOINER = Joiner(
    0.25, Perceptron((0.5,) * SIZE, (2.0,) * SIZE, ((0.1,) * (SIZE + 1),) * 3, (1.0, 2.0, -1.0, 0.5))
)


def test_a_joiner_is_read_as_it_was_written():
    assert Joiner.from_json(json.loads(json.dumps(JOINER.to_json()))) == JOINER


def test_its_least_log_odds_are_those_of_its_least_probability():
    assert JOINER.least_log_odds == pytest.approx(-1.0986, abs=1e-4)


@pytest.mark.parametrize(
    "changed",
    [
        {"least": 0.0},
        {"least": 1.0},
        {"least": float("nan")},
        {"features": ["colour"]},
        {"middle": [0.5]},
        {"spread": [0.0] * SIZE},
        {"hidden": [[0.1]]},
        {"output": [1.0]},
        {"output": [float("inf")] * 4},
    ],
)
def test_what_is_no_joiner_is_refused(changed):
    with pytest.raises(ValueError, match=r"joiner|perceptron|features"):
        Joiner.from_json(JOINER.to_json() | changed)
