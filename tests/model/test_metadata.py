"""The metadata of a model file: round trip, older and newer schemas, refusal of invalid values."""

import dataclasses
import json
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from helpers.model import write_model
from hypothesis import given
from hypothesis import strategies as st

from beadctl.counting.detection import Band
from beadctl.errors import MissingExtraError, ModelError
from beadctl.images import InputName
from beadctl.model.classifier import FEATURES, ObjectClassifier
from beadctl.model.joiner import JOIN_FEATURES, Joiner
from beadctl.model.metadata import METADATA_KEY, SCHEMA, ModelFacts, with_facts
from beadctl.model.perceptron import Perceptron

FACTS = ModelFacts("blobs", "MIT", "1.0", stride=8, halo=48, diameter_px=9.5, training={"lr": 0.1})


# Of each field of a band.
BAND = (
    st.booleans(),
    st.floats(0, 1),
    *(st.integers(low, high) for low, high in ((0, 99), (50, 99), (50, 99), (0, 50))),
    st.floats(0, 9),
)


BAD_BAND = dataclasses.asdict(Band(False, 1.0, 40, true=5, found=9, matched=6, widening=1.0))


def classifier(seed=0):
    """A classifier of random weights, with four hidden units."""
    rng = np.random.default_rng(seed)
    size = len(FEATURES)
    rows = rng.normal(size=(4, size + 1)).tolist()
    numbers = rng.normal(size=size).tolist(), rng.uniform(0.1, 2, size).tolist(), rng.normal(size=5).tolist()
    middle, spread, output = map(tuple, numbers)
    return ObjectClassifier(0.25, 0.03, 0.7, Perceptron(middle, spread, tuple(map(tuple, rows)), output))


def joiner(seed=0):
    """A joiner of random weights, with two hidden units."""
    rng = np.random.default_rng(seed)
    size = len(JOIN_FEATURES)
    rows = rng.normal(size=(2, size + 1)).tolist()
    weights = Perceptron((0.5,) * size, (2.0,) * size, tuple(map(tuple, rows)), (1.0, -1.0, 0.25))
    return Joiner(0.4, weights)


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
        normalisation=st.sampled_from(InputName),
        validation=st.dictionaries(st.text(), st.floats(0, 1)),
        bands=st.lists(st.builds(Band, *BAND), max_size=3).map(tuple),
        classifier=st.none() | st.integers(0, 99).map(classifier),
    )
)
def test_facts_survive_json(facts):
    assert ModelFacts.from_json(facts.to_json(), "m.onnx") == facts


def test_schema_1_names_the_marker_settings_after_seeds():
    content = json.loads(changed(schema=1, seed_threshold=0.31, seed_rise=0.12))
    del content["marker_threshold"], content["marker_rise"]
    wanted = dataclasses.replace(FACTS, marker_threshold=0.31, marker_rise=0.12)
    assert ModelFacts.from_json(json.dumps(content), "m.onnx") == wanted


def test_unknown_facts_are_ignored():
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
        (changed(bands=[{"flagged": False}]), "incomplete"),
        (changed(bands=7), "incomplete"),
        (changed(bands=[BAD_BAND]), "cannot be"),
        (changed(classifier=7), "incomplete"),
        (changed(classifier={}), "incomplete"),
        (changed(classifier=classifier().to_json() | {"features": ["colour"]}), "update beadctl"),
        (changed(classifier=classifier().to_json() | {"output": [1.0]}), "wrong form"),
        (changed(classifier=classifier().to_json() | {"hidden": [["x"]]}), "incomplete"),
        (changed(classifier=classifier().to_json() | {"spread": [0.0] * 8}), "wrong form"),
        (changed(classifier=classifier().to_json() | {"least": float("nan")}), "wrong form"),
        (changed(classifier=classifier().to_json() | {"share": 1.0}), "wrong form"),
    ],
)
def test_invalid_facts_are_refused_in_one_line(text, words):
    with pytest.raises(ModelError, match=words) as caught:
        ModelFacts.from_json(text, "m.onnx")
    assert str(caught.value).startswith("m.onnx: ")
    assert "\n" not in str(caught.value)


def test_the_input_is_named_and_that_of_new_files_is_local():
    assert json.loads(FACTS.to_json())["normalisation"] == InputName.LOCAL.value
    assert json.loads(FACTS.to_json())["schema"] == SCHEMA == 3


@pytest.mark.parametrize("schema", [1, 2])
@pytest.mark.parametrize("stated", [True, False])
def test_files_before_schema_3_are_shown_one_channel(schema, stated):
    content = json.loads(changed(schema=schema, normalisation=InputName.MEDIAN))
    if not stated:
        del content["normalisation"]
    facts = ModelFacts.from_json(json.dumps(content), "m.onnx")
    assert facts == dataclasses.replace(FACTS, normalisation=InputName.MEDIAN)
    assert facts.normalisation.channels == 1


def test_metadata_is_replaced_and_the_network_is_not(tmp_path):
    path = write_model(tmp_path / "a.onnx")
    before = onnx.load(path)
    extra = before.metadata_props.add()
    extra.key, extra.value = "author", "someone"
    onnx.save(before, path)
    facts = ModelFacts("other", "MIT", "9", stride=8, halo=16, threshold=0.37, marker_rise=0.05)
    content = with_facts(path.read_bytes(), facts)
    after = onnx.load_from_string(content)
    onnx.checker.check_model(after)
    entries = {entry.key: entry.value for entry in after.metadata_props}
    assert entries.keys() == {"author", METADATA_KEY}
    assert ModelFacts.from_json(entries[METADATA_KEY], "x") == facts
    assert with_facts(content, facts) == content
    image = np.random.default_rng(0).normal(size=(2, 1, 40, 64)).astype(np.float32)
    outputs = [
        onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, {"image": image})
        for model in (path.read_bytes(), content)
    ]
    for output, wanted in zip(*outputs, strict=True):
        np.testing.assert_array_equal(output, wanted)
    del before.metadata_props[:], after.metadata_props[:]
    assert after == before


def test_without_onnx_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r'onnx is not installed; pip install "beadctl\[train\]"'):
        with_facts(b"", FACTS)
