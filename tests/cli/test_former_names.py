"""Names that are no settings or flags: the nearest one is named, or the new one of a former name."""

import difflib
from pathlib import Path

import pytest

from beadctl.cli import settings
from beadctl.errors import SettingsError

pytestmark = pytest.mark.usefixtures("here")

RENAMED = {
    "instances.marker_threshold": "seed_threshold",
    "instances.marker_rise": "seed_rise",
    "loss.marker_weight": "seed_weight",
    "output.save": "overlays",
}


@pytest.mark.parametrize(("section", "field"), settings.fields())
def test_a_misspelt_name_gets_the_nearest_one(section, field, monkeypatch):
    wrong = field + "s"
    fields = [name for known, name in settings.fields() if known == section]
    assert difflib.get_close_matches(wrong, fields, n=1) == [field], "the oracle itself"
    Path("beadctl.toml").write_text(f"[{section}]\n{wrong} = 1\n")
    with pytest.raises(SettingsError, match=rf"unknown setting {section}\.{wrong}; did you mean {field}\?"):
        settings.load()
    Path("beadctl.toml").unlink()
    monkeypatch.setenv(f"BEADCTL_{section}__{wrong}".upper(), "1")
    with pytest.raises(SettingsError, match=rf"did you mean BEADCTL_{section.upper()}__{field.upper()}\?"):
        settings.load()


@pytest.mark.parametrize(("key", "former"), RENAMED.items())
def test_a_former_name_gets_the_new_one(key, former, run, monkeypatch):
    section, field = key.split(".")
    Path("beadctl.toml").write_text(f"[{section}]\n{former} = 0.5\n")
    said = run("info")
    assert said.code == 2
    assert said.error == f"error: beadctl.toml: unknown setting {section}.{former}; it is now {field}"
    Path("beadctl.toml").unlink()
    old, new = (f"BEADCTL_{section}__{name}".upper() for name in (former, field))
    with monkeypatch.context() as patch:
        patch.setenv(old, "0.5")
        assert run("info").error == f"error: environment: unknown setting {old}; it is now {new}"


@pytest.mark.parametrize(
    ("words", "new"),
    [
        (("segment", "x", "--seed-threshold", "0.5"), "--marker-threshold"),
        (("count", "x", "--seed-rise", "0.5"), "--marker-rise"),
        (("train", "--seed-weight", "2"), "--marker-weight"),
        (("segment", "x", "--overlays"), "--save"),
        (("segment", "x", "--no-overlays"), "--save"),
    ],
)
def test_a_former_flag_gets_the_new_one(words, new, run):
    said = run(*words)
    assert said.code == 2
    flag = next(word for word in words if word.startswith("--"))
    assert said.error == f"error: No such option: {flag}; it is now {new}; see beadctl {words[0]} --help"


@pytest.mark.parametrize("command", ["simulate", "report", "verify", "merge"])
@pytest.mark.parametrize("flag", ["-o", "--out-dir"])
def test_a_folder_that_is_an_argument_is_no_flag(run, command, flag):
    said = run(command, flag, "out")
    assert said.code == 2
    assert f"No such option: {flag}; the folder stands alone, as in beadctl {command} OUT" in said.error
