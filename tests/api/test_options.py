"""The options of the functions are those of the commands, and are checked as those are."""

import inspect
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import beadctl
from beadctl.api.options import CountOptions, SegmentOptions, TrainOptions, settings_of

# Arguments of their own.
NAMED = {"data.pixel_size", "inference.model", "data.tiles"}
OF_OPEN_MODEL = {"inference.device", "inference.threads"}
# Sections about files, tables and statistics, which the functions do not write, and about where work is done.
OF_FILES = ("output.", "counting.", "cluster.")


def flags(command: str) -> set[str]:
    function = getattr(import_module(f"beadctl.cli.commands.{command}"), command)
    names = inspect.signature(function).parameters
    return {name.replace("__", ".") for name in names if "__" in name}


@pytest.mark.parametrize(
    ("command", "known", "elsewhere"),
    [
        ("segment", SegmentOptions, {"data.include", "data.exclude", "data.recursive", *OF_OPEN_MODEL}),
        ("count", CountOptions, OF_OPEN_MODEL),
        ("train", TrainOptions, set()),
    ],
)
def test_every_flag_of_a_command_is_an_option(command, known, elsewhere):
    wanted = flags(command) - NAMED - elsewhere
    wanted = {key for key in wanted if not key.startswith(OF_FILES) or key == "counting.link_z"}
    names = {"loss" if key == "loss.name" else key.partition(".")[2] for key in wanted}
    assert names == set(known.__annotations__)


def test_an_option_reaches_its_setting():
    loaded = settings_of(
        "train",
        TrainOptions,
        {"loss": "dice", "weights": None, "lr": np.float32(0.5), "epochs": np.int64(3), "start": Path("a")},
        tiles=Path("t"),
    )
    settings = loaded.settings
    assert (settings.loss.name, settings.train.lr, settings.train.epochs) == ("dice", 0.5, 3)
    assert (settings.train.start, settings.data.tiles) == ("a", Path("t"))
    assert loaded.origins["data.size"] == "default"
    assert loaded.origins["train.lr"] == "flag"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"treshold": 0.5}, "segment(): unknown option treshold; did you mean threshold?"),
        ({"threshold": 3}, "instances.threshold = 3: input should be less than 1"),
        ({"min_area": "much"}, "instances.min_area = 'much': "),
        ({"project": "median"}, "data.project = 'median': "),
        ({"save": "masks"}, "segment(): unknown option save"),
    ],
)
def test_a_wrong_option_is_one_line_before_any_work(options, message):
    with pytest.raises(beadctl.SettingsError) as error:
        beadctl.segment("no_such_image.tif", **options)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: beadctl.count(""), "count(): a path is empty"),
        (lambda: beadctl.count([".", ""]), "count(): a path is empty"),
        (lambda: beadctl.count(["."], include=""), "count(): include is empty"),
        (lambda: beadctl.segment(""), "segment(): a path is empty"),
        (lambda: beadctl.open_model(""), "open_model(): model is empty"),
        (lambda: beadctl.train("", "run"), "train(): tiles is empty"),
        (lambda: beadctl.train(None, "", simulate=1, epochs=1), "train(): a path is empty"),
        (lambda: beadctl.export("", "mine.onnx"), "export(): a path is empty"),
    ],
)
def test_an_empty_text_is_refused_and_not_the_working_folder(call, message, bead_folder, monkeypatch):
    monkeypatch.chdir(bead_folder)
    with pytest.raises(beadctl.SettingsError) as error:
        call()
    assert str(error.value).startswith(message)


def test_neither_environment_nor_file_is_read(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("beadctl.toml").write_text("[instances]\nthreshold = 0.9\n")
    monkeypatch.setenv("BEADCTL_INSTANCES__MIN_AREA", "99")
    settings = settings_of("segment", SegmentOptions, {}).settings
    assert (settings.instances.threshold, settings.instances.min_area) == (None, None)
