"""Settings: sources and their order, bounds, saved settings as --config."""

import dataclasses
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

pytestmark = pytest.mark.usefixtures("here")

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


def test_a_settings_file_may_begin_with_a_byte_order_mark():
    Path("beadctl.toml").write_text("[train]\nlr = 0.5\n", encoding="utf-8-sig")
    assert settings.load().settings.train.lr == 0.5


def test_other_variables_with_the_prefix_are_ignored(run, monkeypatch, tmp_path):
    monkeypatch.setenv("BEADCTL_DATA", "/anywhere")
    monkeypatch.setenv("BEADCTL", "1")
    elsewhere = tmp_path / "elsewhere.toml"
    elsewhere.write_text("[train]\nlr = 0.5\n")
    monkeypatch.setenv("BEADCTL_CONFIG", str(elsewhere))
    assert settings.load().settings.train.lr == 0.5
    assert run("info", "--settings").code == 0


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
