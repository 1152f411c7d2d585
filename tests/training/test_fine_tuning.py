"""Fine-tuning by the command line."""

import csv
import json
import shutil
import sys
from pathlib import Path

import pytest
from helpers.starting import SMALL, facts_of

from beadctl.files import sha256
from beadctl.model.session import DEFAULT_MODEL
from beadctl.training import checkpoint


def test_fine_tuning_by_the_command_line(run):
    """From the default model: its network, a lower learning rate, and --resume."""
    command = ("train", *SMALL, "--from", "default", "-o", "tuned", "--epochs")
    said = run(*command, 1)
    assert said.code == 0, said.err
    assert "into tuned, from default" in said.err
    said = run(*command, 2, "--resume")
    assert said.code == 0, said.err
    assert checkpoint.load(Path("tuned/best.pt")).joiner == facts_of(DEFAULT_MODEL).joiner is not None
    facts = json.loads(Path("tuned/run.json").read_text())
    assert facts["epochs"] == 2
    assert facts["plan"]["start"] == {"source": "default", "sha256": sha256(DEFAULT_MODEL)}
    for record in (facts["plan"], facts["settings"]["train"]):
        assert (record["lr"], record["width"], record["depth"], record["dropout"]) == (3e-4, 16, 5, 0.1)
    with Path("tuned/history.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 2
    assert run("train", *SMALL, "-o", "tuned", "--epochs", 2, "--resume").code == 3
    said = run("train", *SMALL, "-o", "random", "--epochs", 1, "--width", 2, "--depth", 2)
    assert said.code == 0, said.err
    plan = json.loads(Path("random/run.json").read_text())["plan"]
    assert (plan["start"], plan["lr"]) == (None, 1e-3)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"flags": ("--width", "32")}, "--width 32 (train.width): the network of tiny.onnx has 4"),
        ({"flags": ("--arch", "resunet")}, "--arch resunet (train.arch): the network of tiny.onnx has unet"),
        ({"environment": ("BEADCTL_TRAIN__DEPTH", "5")}, "train.depth = 5 (from BEADCTL_TRAIN__DEPTH)"),
        ({"file": "[train]\nmax_channels = 64\n"}, "train.max_channels = 64 (from beadctl.toml)"),
    ],
    ids=str,
)
def test_another_network_than_that_of_the_start_is_refused(run, tiny, tmp_path, monkeypatch, given, words):
    shutil.copy(tiny.parent / "tiny.onnx", "tiny.onnx")
    if "environment" in given:
        monkeypatch.setenv(*given["environment"])
    if "file" in given:
        Path("beadctl.toml").write_text(given["file"])
    said = run("train", *SMALL, "--from", "tiny.onnx", *given.get("flags", ()), "-o", "tuned")
    assert said.code == 2
    assert words in said.error
    assert said.err.count("\n") == 1
    assert not Path("tuned").exists()


def test_on_tiles_with_the_start_as_a_setting_and_its_own_network_asked_for(run, tiny):
    shutil.copy(tiny.parent / "tiny.onnx", "tiny.onnx")
    assert run("simulate", "sim", "-n", "4", "--size", "64", "--seed", "3").code == 0
    cut = ("tile", "sim/images", "sim/masks", "-o", "tiles", "--size", "32", "--overlap", "0")
    assert run(*cut, "--val-fraction", "0.25", "--test-fraction", "0.25").code == 0
    Path("beadctl.toml").write_text('[train]\nstart = "tiny.onnx"\nwidth = 4\nlr = 0.002\n')
    said = run("train", *SMALL[2:], "--tiles", "tiles", "--depth", "3", "--epochs", "1", "-o", "tuned")
    assert said.code == 0, said.err
    plan = json.loads(Path("tuned/run.json").read_text())["plan"]
    assert (plan["start"]["source"], plan["lr"], plan["width"]) == ("tiny.onnx", 2e-3, 4)
    assert plan["simulate"] == 0


def test_no_start_without_the_extra(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    said = run("train", *SMALL, "--from", "default", "-o", "tuned")
    assert said.code == 3
    assert said.err == 'error: onnx is not installed; pip install "beadctl[train]"\n'


def test_losses_are_compared_from_the_same_start(run, tiny):
    shutil.copy(tiny.parent / "tiny.onnx", "tiny.onnx")
    command = ("compare-losses", *SMALL, "--losses", "dice,focal", "--seeds", "1", "--epochs", "1")
    said = run(*command, "--from", "tiny.onnx", "--no-pictures", "-o", "out")
    assert said.code == 0, said.err
    runs = sorted(Path("out").glob("*/run.json"))
    assert [path.parent.name.split("-batch")[0] for path in runs] == [
        "dice-fixed-lr0.0003",
        "focal-fixed-lr0.0003",
    ]
    for path in runs:
        plan = json.loads(path.read_text())["plan"]
        assert (plan["start"]["source"], plan["width"], plan["depth"]) == ("tiny.onnx", 4, 3)
    assert "tiny.onnx" in Path("out/report.html").read_text(encoding="utf-8")
    said = run(*command, "--width", "4", "--depth", "3", "--lr", "3e-4", "--no-pictures", "-o", "out")
    assert said.code == 3
    assert "start = tiny.onnx (SHA-256 " in said.error
