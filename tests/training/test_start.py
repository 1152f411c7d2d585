"""A run starts from the weights of a model file or of another run, and remembers it."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from helpers.starting import TINY, go
from helpers.training import one_line

from beadctl.errors import ModelError, TrainingError
from beadctl.files import sha256
from beadctl.images import InputName
from beadctl.model.session import DEFAULT_MODEL, Model
from beadctl.training import checkpoint, start
from beadctl.training.dataset import training_data
from beadctl.training.export import export
from beadctl.training.plan import Origin, TrainingPlan


def test_a_network_keeps_the_input_that_it_was_trained_on():
    """The default model sees the grey level alone, with the median at 0; a new network sees contrasts too."""
    found = start.weights("default")
    name = Model(DEFAULT_MODEL, "cpu").facts.normalisation
    plan = found.planned(TrainingPlan(simulate=2, size=32, validation_scenes=1))
    assert plan.inputs == plan.architecture.inputs == found.architecture.inputs == name.channels
    assert training_data(plan, None).source.input == name
    assert TrainingPlan().inputs == InputName.LOCAL.channels


@pytest.mark.parametrize("name", ["", "best.pt", "last.pt"])
def test_a_checkpoints_start_is_its_averaged_network(trained, name):
    found = start.weights(str(trained / name))
    path = trained / (name or "best.pt")
    wanted = checkpoint.load(path).network()
    assert found.architecture == wanted.architecture
    assert not found.folded
    assert found.state_dict.keys() == wanted.state_dict().keys()
    assert all(torch.equal(found.state_dict[key], value) for key, value in wanted.state_dict().items())
    assert (found.source, found.sha256) == (name or "run", sha256(path))


@pytest.mark.parametrize("file", ["tiny.onnx", "run"])
def test_a_run_starts_where_the_other_ended_and_remembers_it(tiny, tmp_path, file):
    found = start.weights(str(tiny.parent / file))
    still = replace(TINY, epochs=1, lr=1e-12, seed=1, validation_scenes=8)
    before = go(still, tmp_path / "fresh").record
    plan = found.planned(replace(still, width=16, depth=2))
    result = go(plan, tmp_path / "run", start=found)
    assert plan.architecture == TINY.architecture
    ended = checkpoint.load(tiny / "best.pt")
    then = ended.history[ended.best_epoch - 1]["val_jaccard"]
    # Only the statistics of the normalisations have moved a little; random weights are far away.
    assert result.record.val_jaccard == pytest.approx(then, abs=0.1)
    assert before.val_jaccard < then / 2
    state = checkpoint.load(result.best)
    kernels = [name for name, value in found.state_dict.items() if value.ndim == 4]
    for held in (state.model, state.average):
        assert all(torch.allclose(held[name], found.state_dict[name], atol=1e-6) for name in kernels)

    origin = {"source": file, "sha256": found.sha256}
    assert state.settings["start"] == origin
    assert json.loads((tmp_path / "run" / "run.json").read_text())["plan"]["start"] == origin


def test_a_fine_tuned_model_names_its_start_without_the_path(tiny, tmp_path):
    found = start.weights(str(tiny))
    go(found.planned(replace(TINY, epochs=1)), tmp_path / "run", start=found)
    path = tmp_path / "tuned.onnx"
    export(tmp_path / "run", path)
    facts = Model(path, "cpu").facts
    assert facts.training["start"] == {"source": "run", "sha256": found.sha256}
    assert facts.licence == "unspecified"
    for place in (tmp_path, tiny.parent):
        assert place.name.encode() not in path.read_bytes()
    # And on from there.
    assert start.weights(str(path)).architecture == TINY.architecture


def test_a_run_resumes_to_the_same_bits_also_without_the_file(tiny, tmp_path):
    path = tmp_path / "model.onnx"
    shutil.copy(tiny.parent / "tiny.onnx", path)
    found = start.weights(str(path))
    plan = found.planned(replace(TINY, dropout=0.1))
    go(plan, tmp_path / "straight", start=found)
    done = []
    go(plan, tmp_path / "run", start=found, on_epoch=done.append, should_stop=lambda: bool(done))
    path.unlink()
    again = start.again(str(path), tmp_path / "run")
    assert (again.state_dict, again.origin) == (None, found.origin)
    torch.rand(3)
    result = go(again.planned(replace(TINY, dropout=0.1)), tmp_path / "run", start=again, resume=True)
    assert result.epochs == 2
    ends = [checkpoint.load(tmp_path / name / "last.pt") for name in ("straight", "run")]
    for kind in ("model", "average"):
        one, other = (getattr(end, kind) for end in ends)
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_resuming_from_another_start_is_refused(tiny, tmp_path):
    path = tmp_path / "model.onnx"
    shutil.copy(tiny.parent / "tiny.onnx", path)
    found = start.weights(str(path))
    go(found.planned(replace(TINY, epochs=1)), tmp_path / "run", start=found)

    # The same weights by another name are the same; others by the same name are not.
    renamed = start.again(str(tiny.parent / "tiny.onnx"), tmp_path / "run")
    go(renamed.planned(replace(TINY, epochs=1)), tmp_path / "run", start=renamed, resume=True)
    shutil.copy(DEFAULT_MODEL, path)
    other = start.again(str(path), tmp_path / "run")
    with pytest.raises(TrainingError, match=rf"start = model\.onnx \(SHA-256 {found.sha256[:12]}") as error:
        go(other.planned(TINY), tmp_path / "run", start=other, resume=True)
    one_line(error)
    with pytest.raises(TrainingError, match="not none; resume with the same") as error:
        go(TINY, tmp_path / "run", resume=True)
    one_line(error)
    # Another name is not accepted for the missing file.
    path.unlink()
    with pytest.raises(ModelError, match="absent") as error:
        start.again("absent.onnx", tmp_path / "run")
    one_line(error)
    with pytest.raises(ModelError, match=r"no last\.pt to resume from"):
        start.again("default", tmp_path / "nowhere")
    go(replace(TINY, epochs=1), tmp_path / "random")
    with pytest.raises(TrainingError, match="start = none, not default"):
        begun = start.again("default", tmp_path / "random")
        go(begun.planned(TINY), tmp_path / "random", start=begun, resume=True)


def test_a_plan_and_its_start_belong_together(tiny, tmp_path):
    found = start.weights(str(tiny))
    for plan, given in (
        (TINY, found),
        (replace(TINY, start=Origin("x", "0")), found),
        (found.planned(TINY), None),
    ):
        with pytest.raises(ValueError, match="starts from"):
            go(plan, tmp_path / "run", start=given)
