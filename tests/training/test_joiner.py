"""The joiner of the start goes on into validation and the exported file."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.joiner import ALWAYS
from helpers.starting import SMALL, TINY, facts_of, go

from beadctl.model.metadata import with_facts
from beadctl.training import start
from beadctl.training.measured import measure


@pytest.fixture
def joining(tiny, tmp_path):
    """The model file of the run, with a joiner."""
    path, content = tmp_path / "joining.onnx", (tiny.parent / "tiny.onnx").read_bytes()
    path.write_bytes(with_facts(content, replace(facts_of(tiny.parent / "tiny.onnx"), joiner=ALWAYS)))
    return path


def test_the_joiner_of_the_start_is_in_the_exported_file_which_counts_by_it(run, joining, tmp_path):
    command = ("train", *SMALL, "--from", joining, "-o", "tuned", "--epochs")
    for more in ((1,), (2, "--resume")):
        said = run(*command, *more)
        assert said.code == 0, said.err
    said = run("export", "tuned", "-o", "tuned.onnx")
    assert said.code == 0, said.err
    assert facts_of(Path("tuned.onnx")).joiner == ALWAYS
    # And on from there.
    assert start.weights("tuned").joiner == start.weights("tuned.onnx").joiner == ALWAYS

    assert run("simulate", "sim", "-n", "4", "--size", "192", "--seed", "3").code == 0
    count = ("count", "sim/images", "-m", "tuned.onnx", "--format", "json", "--device", "cpu")
    joined, parted = (
        sum(row["count"] for row in json.loads(run(*count, *more).out))
        for more in ((), ("--marker-threshold", "0.1", "--marker-rise", "0.01"))
    )
    assert joined < parted


def test_validation_counts_by_the_joiner_as_the_exported_file_does(tiny, joining, tmp_path):
    still = replace(TINY, epochs=1, lr=1e-12, size=128, marker_threshold=0.1, validation_scenes=8)
    biases = []
    for name, path in (("without", tiny.parent / "tiny.onnx"), ("with", joining)):
        found = start.weights(str(path))
        biases.append(go(found.planned(still), tmp_path / name, start=found).record.count_bias)
    assert biases[1] < biases[0]
    assert measure(tmp_path / "with/best.pt", None, "cpu").scores.count_bias == biases[1]


def test_a_network_trained_from_nothing_has_no_joiner(tiny):
    assert start.weights(str(tiny)).joiner is None
    assert facts_of(tiny.parent / "tiny.onnx").joiner is None
