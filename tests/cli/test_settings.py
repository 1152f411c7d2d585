"""Settings: sources and their order, refused names and values, saved settings as --config."""

import dataclasses
import difflib
import os
import re
import types
from enum import StrEnum
from pathlib import Path
from typing import get_args, get_origin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beadctl.cli import sections, settings
from beadctl.cli.settings import Settings
from beadctl.errors import SettingsError
from beadctl.losses import Loss
from beadctl.results.formats import Output
from beadctl.text import toml_text

KEYS = [f"{section}.{field}" for section, field in settings.fields()]
STRINGS = {
    "data.axes": ("ZYX", "TYX", "CYX"),
    "inference.device": ("cpu", "cuda:1", "openvino:GPU.1"),
    **dict.fromkeys(("instances.min_area", "instances.max_area"), ("60", "60px", "25um2")),
    **dict.fromkeys(
        ("instances.min_diameter", "instances.max_diameter", "data.counting_frame"), ("9", "9.5px", "4um")
    ),
    **dict.fromkeys(("counting.depth_um", "counting.dilution"), ("100", "10+-0.5", "2.5±0.1")),
    "cluster.workers": ("local:2", "tcp://node1:8786", "slurm.yaml:4"),
}


def info_of(key):
    section, field = key.split(".")
    return Settings.model_fields[section].annotation.model_fields[field]


def bound(info, *names):
    for item in info.metadata:
        for name in names:
            if getattr(item, name, None) is not None:
                return getattr(item, name)
    return None


def three(key):
    """Three valid values of a setting, neighbours different."""
    info = info_of(key)
    kinds = [kind for kind in get_args(info.annotation) if kind is not types.NoneType] or [info.annotation]
    if key == "output.save":
        return [(Output.OVERLAYS,), (Output.MASKS,), (Output.OVERLAYS, Output.MASKS)]
    if key in ("data.include", "data.exclude", "export.authors"):
        return [("*.tif",), ("a*", "b*"), ("day1/*",)]
    kind = get_args(kinds[0])[0] if get_origin(kinds[0]) else kinds[0]
    if kind is bool:
        return [not info.default, info.default, not info.default]
    if kind is int:
        low = bound(info, "ge") or 0
        return [low + 1, low + 2, low]
    if kind is float:
        return [0.25, 0.5, 0.75]
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        choices = list(kind)
        return [choices[index % len(choices)] for index in (1, 2, 3 if len(choices) == 2 else 0)]
    if key in ("loss.weights", "loss.ramp_from"):
        return [(0.5, 0.5), (0.25, 0.75), (1.0, 0.0)]
    return [kind(text) for text in STRINGS.get(key, ("one", "two", "three"))]


def value(loaded, key):
    section, field = key.split(".")
    return getattr(getattr(loaded.settings, section), field)


def as_text(one):
    if isinstance(one, tuple):
        return ",".join(map(str, one))
    return getattr(one, "value", str(one).lower() if isinstance(one, bool) else str(one))


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_file_may_give_a_size_in_px_as_a_number():
    Path("beadctl.toml").write_text("[inference]\ndiameter = 12\n[instances]\nmin_diameter = 9.5\n")
    loaded = settings.load().settings
    assert (loaded.inference.diameter, loaded.instances.min_diameter) == ("12", "9.5")


@pytest.mark.parametrize("key", KEYS)
def test_flag_over_environment_over_file_over_default(key, monkeypatch, tmp_path):
    in_file, in_environment, on_line = three(key)
    section, field = key.split(".")
    assert value(settings.load(), key) == info_of(key).default
    assert settings.load().origins[key] == "default"

    plain = in_file if isinstance(in_file, int | float | tuple) else as_text(in_file)
    Path("beadctl.toml").write_text(toml_text({section: {field: plain}}))
    loaded = settings.load()
    assert value(loaded, key) == in_file
    assert loaded.origins[key] == "beadctl.toml"

    name = f"BEADCTL_{section}__{field}".upper()
    monkeypatch.setenv(name, as_text(in_environment))
    loaded = settings.load()
    assert value(loaded, key) == in_environment
    assert loaded.origins[key] == name

    loaded = settings.load(flags={key: on_line})
    assert value(loaded, key) == on_line
    assert loaded.origins[key] == "flag"
    assert value(settings.load(flags={key: None}), key) == in_environment

    other = next(one for one in KEYS if one != key)
    assert loaded.origins[other] == "default"
    assert value(loaded, other) == info_of(other).default


@pytest.mark.parametrize(
    "key", [key for key in KEYS if bound(info_of(key), "ge", "gt", "le", "lt") is not None]
)
def test_a_value_out_of_its_bounds_is_refused_from_every_source(key, monkeypatch):
    info = info_of(key)
    section, field = key.split(".")
    low, high = bound(info, "ge", "gt"), bound(info, "le", "lt")
    for bad in [limit for limit in (low - 1, None if high is None else high + 1) if limit is not None]:
        with pytest.raises(SettingsError, match=rf"^--[a-z0-9-]+ {bad} \({key}\): ") as caught:
            settings.load(flags={key: bad})
        assert "\n" not in str(caught.value)
        Path("beadctl.toml").write_text(f"[{section}]\n{field} = {bad}\n")
        with pytest.raises(SettingsError, match=rf"{key} = {bad} \(from beadctl.toml\)"):
            settings.load()
        Path("beadctl.toml").unlink()
        with monkeypatch.context() as patch:
            patch.setenv(f"BEADCTL_{section}__{field}".upper(), str(bad))
            with pytest.raises(SettingsError, match=f"from BEADCTL_{section.upper()}__{field.upper()}"):
                settings.load()


@pytest.mark.parametrize("key", KEYS)
def test_a_misspelt_name_gets_the_nearest_one(key, monkeypatch):
    section, field = key.split(".")
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


RENAMED = {
    "instances.marker_threshold": "seed_threshold",
    "instances.marker_rise": "seed_rise",
    "loss.marker_weight": "seed_weight",
    "output.save": "overlays",
}


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


def test_a_list_in_the_environment_is_separated_by_commas(monkeypatch):
    monkeypatch.setenv("BEADCTL_LOSS__WEIGHTS", "0.6, 0.4")
    monkeypatch.setenv("BEADCTL_OUTPUT__SAVE", "masks")
    loaded = settings.load().settings
    assert loaded.loss.weights == (0.6, 0.4)
    assert loaded.output.save == (Output.MASKS,)


def test_the_constructor_reads_no_other_source(monkeypatch):
    monkeypatch.setenv("BEADCTL_TRAIN__LR", "0.25")
    Path("beadctl.toml").write_text("[train]\nepochs = 7\n")
    assert Settings().train == sections.Train()


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


def test_a_settings_file_may_begin_with_a_byte_order_mark():
    Path("beadctl.toml").write_text("[train]\nlr = 0.5\n", encoding="utf-8-sig")
    assert settings.load().settings.train.lr == 0.5


def test_environment_errors_are_one_line(run, monkeypatch):
    monkeypatch.setenv("BEADCTL_TRIAN__LR", "1")
    said = run("info", "--settings")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "did you mean BEADCTL_TRAIN__LR?" in said.error
    monkeypatch.delenv("BEADCTL_TRIAN__LR")
    monkeypatch.setenv("BEADCTL_TRAIN__LR", "soon")
    assert "BEADCTL_TRAIN__LR" in run("info", "--settings").error


@pytest.mark.parametrize("key", KEYS)
def test_an_empty_value_is_refused_and_no_path_of_the_working_folder(key, monkeypatch):
    section, field = key.split(".")
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


def test_other_variables_with_the_prefix_are_ignored(run, monkeypatch, tmp_path):
    monkeypatch.setenv("BEADCTL_DATA", "/anywhere")
    monkeypatch.setenv("BEADCTL", "1")
    elsewhere = tmp_path / "elsewhere.toml"
    elsewhere.write_text("[train]\nlr = 0.5\n")
    monkeypatch.setenv("BEADCTL_CONFIG", str(elsewhere))
    assert settings.load().settings.train.lr == 0.5
    assert run("info", "--settings").code == 0


def test_a_missing_settings_file_is_refused_if_named(run, monkeypatch):
    said = run("info", "--settings", "--config", "absent.toml")
    assert said.code == 2
    assert "absent.toml" in said.error
    monkeypatch.setenv("BEADCTL_CONFIG", "gone.toml")
    assert "gone.toml" in run("info", "--settings").error


def test_config_replaces_the_file_of_the_working_folder():
    Path("beadctl.toml").write_text("[train]\nlr = 0.1\n")
    Path("other.toml").write_text("[train]\nepochs = 7\n")
    loaded = settings.load(Path("other.toml"))
    assert (loaded.settings.train.epochs, loaded.settings.train.lr) == (7, None)


def test_settings_are_frozen_at_both_levels():
    loaded = settings.load()
    with pytest.raises(Exception, match="frozen"):
        loaded.settings.train.lr = 1.0
    with pytest.raises(Exception, match="frozen"):
        loaded.settings.train = loaded.settings.train
    with pytest.raises(AttributeError):
        loaded.origins = {}


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30)


@given(
    lr=st.floats(min_value=1e-300, max_value=1e300, allow_nan=False),
    epochs=st.integers(1, 10**9),
    augment=st.booleans(),
    name=TEXTS,
    group_by=st.none() | TEXTS,
    loss=st.sampled_from(list(Loss)),
    pixel_size=st.none() | st.floats(1e-6, 1e6),
)
def test_saved_settings_are_read_back_by_config(
    tmp_path_factory, lr, epochs, augment, name, group_by, loss, pixel_size
):
    given_ = {
        "train.lr": lr,
        "train.epochs": epochs,
        "train.augment": augment,
        "export.name": name,
        "tile.group_by": group_by,
        "loss.name": loss,
        "data.pixel_size": pixel_size,
    }
    first = settings.load(flags=given_).settings
    path = tmp_path_factory.mktemp("round") / "saved.toml"
    path.write_text(toml_text(first.model_dump(mode="json")), encoding="utf-8", newline="")
    assert settings.load(path).settings == first


def test_info_prints_every_value_and_its_origin(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    Path("beadctl.toml").write_text("[train]\nlr = 0.25\n")
    monkeypatch.setenv("BEADCTL_DATA__SEED", "11")
    said = run("info", "--settings", "--axes", "ZYX")
    lines = {words[0]: words[1:] for line in said.out.splitlines() if (words := line.split())}
    assert set(KEYS) <= set(lines)
    assert lines["train.lr"] == ["0.25", "beadctl.toml"]
    assert lines["data.seed"] == ["11", "BEADCTL_DATA__SEED"]
    assert lines["data.axes"] == ['"ZYX"', "flag"]
    assert lines["train.epochs"] == ["100", "default"]
    assert lines["inference.model"] == ["default"]


def test_settings_saved_by_a_run_repeat_it(run, model_path, bead_folder):
    first = run("segment", bead_folder / "dark.png", "-m", model_path, "-o", "one", "--threshold", "0.4")
    assert first.code == 0
    Path("one/settings.toml").rename("saved.toml")
    again = run("segment", bead_folder / "dark.png", "--config", "saved.toml", "-o", "two")
    assert again.code == 0
    assert settings.load(Path("two/settings.toml")).settings.instances.threshold == 0.4
    assert Path("one/beads.csv").read_bytes() == Path("two/beads.csv").read_bytes()


def test_the_limits_of_images_are_those_of_the_package():
    from beadctl.images import Limits

    assert sections.Images().model_dump() == dataclasses.asdict(Limits())


def test_limits_reach_the_reader_and_change_no_result(run, model_path, bead_folder, monkeypatch, tmp_path):
    monkeypatch.setenv("BEADCTL_IMAGES__MAX_PIXELS", "100")
    said = run("count", bead_folder, "-m", model_path)
    assert said.code == 1
    assert all("images.max_pixels" in line for line in said.errors)
    monkeypatch.setenv("BEADCTL_IMAGES__MAX_PIXELS", "1000000")
    assert run("segment", bead_folder, "-m", model_path, "-o", tmp_path / "out").code == 0
    monkeypatch.delenv("BEADCTL_IMAGES__MAX_PIXELS")
    # The same results, so that the rerun skips them.
    assert run("segment", bead_folder, "-m", model_path, "-o", tmp_path / "out").code == 0
    assert (tmp_path / "out/counts.csv").read_text().count("skipped") > 0
