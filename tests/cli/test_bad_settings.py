"""Settings that cannot be used: one line with the key, where it comes from, and what it takes."""

import os
import re
from pathlib import Path

import pytest

from beadctl.cli import settings
from beadctl.errors import SettingsError

pytestmark = pytest.mark.usefixtures("here")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[trian]\nlr = 1\n", r"unknown section \[trian\]; did you mean train\?"),
        ("[train]\nlr = \n", "not valid TOML"),
        ("[train\n", "not valid TOML"),
        pytest.param(f"[train]\nlr = {10**5 * '['}", "not valid TOML", id="nested"),
        ("train = 3\n", r"train is a section; write \[train\]"),
        ("[train]\nlr = 'fast'\n", r"train.lr = 'fast' \(from beadctl.toml\)"),
        ("[train]\nepochs = 1.5\n", "train.epochs = 1.5"),
        pytest.param(f"[train]\nepochs = {5000 * '9'}", "not valid TOML", id="digits"),
        ("[train]\nlr = {a = 1}\n", "train.lr"),
        ("[data]\nsize = 2020-01-01\n", "data.size"),
        ("[loss]\nname = 'hinge'\n", "'bce' or 'lovasz'"),
        ("[train]\nlr = nan\n", "train.lr"),
        ("[train]\nlr = inf\n", "train.lr"),
        ("[data]\nregion = 'a\\u0000b'\n".replace("'", '"'), "data.region.*: holds the character NUL"),
        (
            "[counting]\nmanual = 'a\\u0000b'\n".replace("'", '"'),
            "counting.manual.*: holds the character NUL",
        ),
    ],
)
def test_a_bad_file_is_one_line_and_exit_code_2(text, words, run):
    Path("beadctl.toml").write_text(text)
    said = run("info", "--settings")
    assert said.code == 2
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert re.search(words, said.error)
    assert "beadctl.toml" in said.error


def test_a_binary_settings_file_is_one_line(run):
    Path("beadctl.toml").write_bytes(b"\xff\xfe\x00")
    assert "not valid TOML" in run("info", "--settings").error


def test_environment_errors_are_one_line(run, monkeypatch):
    monkeypatch.setenv("BEADCTL_TRIAN__LR", "1")
    said = run("info", "--settings")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "did you mean BEADCTL_TRAIN__LR?" in said.error
    monkeypatch.delenv("BEADCTL_TRIAN__LR")
    monkeypatch.setenv("BEADCTL_TRAIN__LR", "soon")
    assert "BEADCTL_TRAIN__LR" in run("info", "--settings").error


@pytest.mark.parametrize(("section", "field"), settings.fields())
def test_an_empty_value_is_refused_and_no_path_of_the_working_folder(section, field, monkeypatch):
    key = f"{section}.{field}"
    Path("beadctl.toml").write_text(f'[{section}]\n{field} = ""\n')
    with pytest.raises(SettingsError, match=rf"^beadctl.toml: {key} is empty; "):
        settings.load()
    Path("beadctl.toml").unlink()
    name = f"BEADCTL_{section}__{field}".upper()
    monkeypatch.setenv(name, "")
    with pytest.raises(SettingsError, match=rf"^environment: {name} is empty; "):
        settings.load()


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("data.axes", "zyx", "no axes; give one capital letter an axis, such as ZYX"),
        ("data.counting_frame", "wide", "not a distance; give it as 12px or 5um"),
        (
            "inference.device",
            "gpu",
            "no device; give auto, cpu, cuda, tensorrt, directml, coreml, openvino, or such as cuda:1",
        ),
    ],
)
def test_the_form_of_a_value_is_told_in_words(key, value, words):
    with pytest.raises(SettingsError) as caught:
        settings.load(flags={key: value})
    assert str(caught.value).endswith(f" {value} ({key}): {words}")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no small letters in names of variables")
def test_a_setting_in_small_letters_is_no_setting_that_is_missed_in_silence(run, monkeypatch):
    monkeypatch.setenv("beadctl_inference__device", "cuda")
    said = run("info", "--settings")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "beadctl_inference__device is not read; write it in capitals, BEADCTL_INFERENCE__D" in said.error


def test_a_missing_settings_file_is_refused_if_named(run, monkeypatch):
    said = run("info", "--settings", "--config", "absent.toml")
    assert said.code == 2
    assert "absent.toml" in said.error
    monkeypatch.setenv("BEADCTL_CONFIG", "gone.toml")
    assert "gone.toml" in run("info", "--settings").error
