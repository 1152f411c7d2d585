"""Checkpoints of earlier versions load by today's names, can be resumed and exported; others are refused."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import version_1, version_2
from helpers.training import TINY, go, one_line

from beadctl.errors import ModelError, TrainingError
from beadctl.images import InputName
from beadctl.model.session import Model
from beadctl.training import checkpoint
from beadctl.training.architecture import Architecture
from beadctl.training.choices import SelectName
from beadctl.training.export import export
from beadctl.training.options import TrainOptions
from beadctl.training.plan import TrainingPlan, current_names
from beadctl.training.start import weights
from beadctl.training.train import train
from beadctl.training.unet import UNet
from beadctl.weighting import WeightingName

PLAN = TrainingPlan(
    simulate=4,
    size=32,
    epochs=1,
    batch_size=2,
    width=4,
    depth=2,
    weighting=WeightingName.BALANCE,
    marker_weight=1.5,
    marker_threshold=0.4,
    validation_scenes=2,
    # By which every earlier version chose.
    select=SelectName.JACCARD,
)


@pytest.fixture
def run_dir(tmp_path):
    train(PLAN, tmp_path / "run", options=TrainOptions(device="cpu", workers=0, threads=1))
    return tmp_path / "run"


def test_a_checkpoint_of_version_1_is_the_same_state(run_dir):
    before = checkpoint.load(run_dir / "last.pt")
    content = version_1.checkpoint(run_dir / "last.pt")
    assert {"seed", "seed_weight", "seed_threshold"} <= content["settings"].keys()
    assert "seed_loss" in content["history"][0]
    after = checkpoint.load(run_dir / "last.pt")
    assert after.settings == before.settings == PLAN.as_dict()
    assert after.history == before.history
    assert after.weighting.keys() == before.weighting.keys()


def test_a_run_of_version_1_is_resumed_and_exported(run_dir, tmp_path):
    version_1.checkpoint(run_dir / "last.pt")
    version_1.checkpoint(run_dir / "best.pt")
    export(run_dir, tmp_path / "old.onnx")
    assert Model(tmp_path / "old.onnx", "cpu").facts.marker_threshold == 0.4
    options = TrainOptions(device="cpu", workers=0, threads=1, resume=True)
    assert train(replace(PLAN, epochs=2), run_dir, options=options).epochs == 2
    header = (run_dir / "history.csv").read_text().partition("\n")[0].split(",")
    assert {"marker_loss", "weight_marker"} <= set(header)


def test_a_checkpoint_of_version_2_is_the_same_state_and_is_resumed(run_dir):
    before = checkpoint.load(run_dir / "last.pt")
    content = version_2.checkpoint(run_dir / "last.pt")
    assert "select" not in content["settings"]
    after = checkpoint.load(run_dir / "last.pt")
    assert after.settings == before.settings == PLAN.as_dict()
    assert (after.best_epoch, after.best_score) == (1, before.history[0]["val_jaccard"])
    options = TrainOptions(device="cpu", workers=0, threads=1, resume=True)
    with pytest.raises(TrainingError, match="select = jaccard, not f1"):
        train(replace(PLAN, epochs=2, select=SelectName.F1), run_dir, options=options)
    assert train(replace(PLAN, epochs=2), run_dir, options=options).epochs == 2


def test_a_network_of_one_channel_is_exported_but_not_resumed(run_dir, tmp_path):
    for name in ("best.pt", "last.pt"):
        version_2.checkpoint(run_dir / name, one_channel=True)
    network = checkpoint.load(run_dir / "best.pt").network()
    assert network.architecture.inputs == 1
    export(run_dir, tmp_path / "old.onnx")
    model = Model(tmp_path / "old.onnx", "cpu")
    assert model.facts.normalisation == InputName.MEDIAN
    image = torch.randn(1, 1, 32, 32)
    with torch.no_grad():
        wanted = network(image).sigmoid().numpy()
    np.testing.assert_allclose(np.concatenate(model.run(image.numpy()), 1), wanted, atol=1e-5)
    options = TrainOptions(device="cpu", workers=0, threads=1, resume=True)
    with pytest.raises(TrainingError, match="see the grey level alone; start a new run") as error:
        train(replace(PLAN, epochs=2), run_dir, options=options)
    assert "\n" not in str(error.value)
    found = weights(str(run_dir))
    start = TrainOptions(device="cpu", workers=0, threads=1)
    train(found.planned(replace(PLAN, epochs=1)), tmp_path / "on", start=found, options=start)
    assert checkpoint.load(tmp_path / "on/best.pt").network().architecture.inputs == 1


def test_plans_of_older_runs_by_todays_names():
    old = {"seed": 3, "seed_weight": 2.0, "seed_threshold": 0.5, "lr": 0.1}
    assert current_names(old) == {"seed": 3, "marker_weight": 2.0, "marker_threshold": 0.5, "lr": 0.1}
    assert current_names(PLAN.as_dict()) == PLAN.as_dict()


@pytest.mark.parametrize(
    "values",
    [
        {"architecture": {"width": 4, "depth": 2, "wide": 1}},
        {"architecture": {"width": 10**9, "depth": 2}},
        {"architecture": {"width": 4, "depth": 10**9}},
        {"architecture": {"width": 4, "depth": 3}},
        {"architecture": [4, 2]},
        {"average": {}},
        {"epoch": "one"},
        {"history": [3]},
        {"settings": None},
    ],
)
def test_values_that_are_not_those_of_a_checkpoint_are_one_line(tmp_path, values):
    path, architecture = tmp_path / "last.pt", Architecture(width=4, depth=2)
    weights = UNet(architecture).state_dict()
    state = checkpoint.Checkpoint(
        architecture.as_dict(), weights, weights, {}, {}, {}, 1, 1, 1, 0.5, 1.0, [], PLAN.as_dict()
    )
    checkpoint.save(state, path)
    assert checkpoint.load(path).network()
    torch.save(torch.load(path, weights_only=True) | values, path)
    with pytest.raises(ModelError, match=r"last\.pt: an incomplete or damaged checkpoint") as caught:
        checkpoint.load(path)
    assert "\n" not in str(caught.value)


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("reading a checkpoint ran its code",))


@pytest.mark.parametrize(
    "kind", ["missing", "text", "empty", "cut", "pickle", "bomb", "weights", "newer", "lacking"]
)
def test_files_that_are_not_checkpoints(tmp_path, kind, tiles):
    path = tmp_path / "best.pt"
    match kind:
        case "text":
            path.write_text("not a model")
        case "empty":
            path.write_bytes(b"")
        case "cut":
            go(replace(TINY, epochs=1), tiles, tmp_path / "run")
            content = (tmp_path / "run" / "best.pt").read_bytes()
            path.write_bytes(content[: len(content) // 2])
        case "pickle":
            path.write_bytes(pickle.dumps({"format": "beadctl-checkpoint"}))
        case "bomb":
            torch.save({"format": "beadctl-checkpoint", "version": 1, "bomb": Bomb()}, path)
        case "weights":
            torch.save(UNet(Architecture(2, 2)).state_dict(), path)
        case "newer":
            torch.save({"format": "beadctl-checkpoint", "version": 99}, path)
        case "lacking":
            torch.save({"format": "beadctl-checkpoint", "version": 1, "model": {}}, path)
    with pytest.raises(ModelError, match=r"best\.pt") as error:
        checkpoint.load(path)
    one_line(error)
