"""The facts of a model file: a round trip, and no to what cannot be."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beadctl.errors import ModelError
from beadctl.model.metadata import NORMALISATION, SCHEMA, ModelFacts

FACTS = ModelFacts("blobs", "MIT", "1.0", stride=8, halo=48, diameter_px=9.5, training={"lr": 0.1})


def changed(**values):
    return json.dumps(json.loads(FACTS.to_json()) | values)


@given(
    st.builds(
        ModelFacts,
        name=st.text(),
        licence=st.text(),
        beadctl_version=st.text(),
        stride=st.integers(1, 512),
        halo=st.integers(0, 5000),
        threshold=st.floats(0.01, 0.99),
        diameter_px=st.none() | st.floats(0.1, 1e4),
        validation=st.dictionaries(st.text(), st.floats(0, 1)),
    )
)
def test_facts_survive_the_file(facts):
    assert ModelFacts.from_json(facts.to_json(), "m.onnx") == facts


def test_facts_of_tomorrow_within_the_schema_are_ignored():
    assert ModelFacts.from_json(changed(colour="red"), "m.onnx") == FACTS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "not a beadctl model"),
        ("", "cannot be read"),
        ("[]", "cannot be read"),
        ("{}", "cannot be read"),
        ('{"schema": 1}', "incomplete"),
        (changed(schema=SCHEMA + 1), "newer beadctl"),
        (changed(normalisation="z-score"), "'z-score'"),
        (changed(stride=0), "cannot be"),
        (changed(stride=4.5), "cannot be"),
        (changed(stride=None), "cannot be"),
        (changed(halo=-1), "cannot be"),
        (changed(threshold="half"), "cannot be"),
        (changed(threshold=1.5), "cannot be"),
        (changed(min_area_px=-3), "cannot be"),
    ],
)
def test_facts_that_cannot_be_are_refused_in_one_line(text, words):
    with pytest.raises(ModelError, match=words) as caught:
        ModelFacts.from_json(text, "m.onnx")
    assert str(caught.value).startswith("m.onnx: ")
    assert "\n" not in str(caught.value)


def test_the_normalisation_has_a_name():
    assert json.loads(FACTS.to_json())["normalisation"] == NORMALISATION
