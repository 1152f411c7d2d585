"""`beadctl.train` computes what `beadctl train` computes, and `beadctl.export` writes it."""

import pytest
from helpers.images import discs
from helpers.training import history, write_tiles

import beadctl
import beadctl.api.train
from beadctl.api.told import extras_named

TINY = {
    "size": 32, "epochs": 1, "batch_size": 2, "width": 4, "depth": 2, "lr": 0.01, "workers": 0, "threads": 1,
    "device": "cpu", "precision": "fp32", "seed": 3,
}  # fmt: skip
pytestmark = pytest.mark.filterwarnings("ignore::beadctl.BeadctlWarning")
# Figures that no clock is in.
SAME = ("epoch", "train_loss", "mask_loss", "marker_loss", "val_f1", "val_jaccard", "lr", "best")


def figures(folder):
    return [[row[name] for name in SAME] for row in history(folder)]


def test_a_run_is_that_of_the_command_and_gives_a_model(run, tmp_path, capsys):
    tiles, records = write_tiles(tmp_path / "tiles"), []
    flags = [word for name, value in TINY.items() for word in (f"--{name.replace('_', '-')}", value)]
    assert run("train", "--tiles", tiles, "-o", tmp_path / "command", *flags).code == 0
    capsys.readouterr()
    with pytest.warns(beadctl.BeadctlWarning, match="validation F1") as heard:
        result = beadctl.train(tiles, tmp_path / "function", progress=records.append, **TINY)
    assert capsys.readouterr() == ("", "")
    assert not [one for one in heard if issubclass(one.category, DeprecationWarning)]
    assert figures(tmp_path / "function") == figures(tmp_path / "command")
    assert [record.epoch for record in records] == [1]
    assert (result.stopped, result.best) == ("finished", tmp_path / "function/best.pt")

    with pytest.raises(beadctl.OutputError, match="already holds a run"):
        beadctl.train(tiles, tmp_path / "function", **TINY)
    beadctl.train(tiles, tmp_path / "function", resume=True, progress=records.append, **TINY | {"epochs": 2})
    assert [record.epoch for record in records] == [1, 2]

    out = tmp_path / "mine.onnx"
    with pytest.warns(beadctl.BeadctlWarning, match=r"mine.onnx: "):
        beadctl.export(tmp_path / "function", out, name="mine", licence="CC0-1.0")
    with pytest.warns(beadctl.BeadctlWarning, match=r"mine.onnx: "):
        model = beadctl.open_model(out, device="cpu")
    assert (model.facts.name, model.facts.licence) == ("mine", "CC0-1.0")
    assert beadctl.segment(discs(2)[0], model=model).labels.shape == (96, 128)
    with pytest.raises(beadctl.OutputError, match="already exists"):
        beadctl.export(tmp_path / "function", out)
    assert capsys.readouterr() == ("", "")


def test_what_cannot_be_trained_is_one_line(tmp_path):
    with pytest.raises(beadctl.SettingsError, match="nothing to train on; give tiles, or simulate"):
        beadctl.train(None, tmp_path / "run")
    with pytest.raises(beadctl.BeadctlError, match="no_tiles"):
        beadctl.train(tmp_path / "no_tiles", tmp_path / "run", device="cpu")
    with pytest.raises(beadctl.SettingsError, match="did you mean epochs"):
        beadctl.train(tmp_path, tmp_path / "run", epoch=3)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["torch", "onnx.checker", "matplotlib"])
def test_a_missing_extra_is_named(name):
    with pytest.raises(beadctl.MissingExtraError, match=r'pip install "beadctl\[train\]"'), extras_named():
        raise ModuleNotFoundError(name=name)
    with pytest.raises(ModuleNotFoundError), extras_named():
        raise ModuleNotFoundError(name="skimage")
