"""The example images, and the settings file that its script makes."""

import importlib.util
import re
import tomllib
from pathlib import Path

from beadctl.cli.settings import Settings, fields, load
from beadctl.images import find, open_image

FOLDER = Path(__file__).parents[2] / "examples"


def script(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_images_are_small_and_of_many_kinds():
    files = [item.path for item in find([FOLDER / "images"])]
    sizes = {path: path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()}
    assert sizes.pop(FOLDER / "counting/overlay.png") < 300e3
    assert sum(sizes.values()) < 1.6e6
    assert {path.suffix for path in files} == {".tif", ".png", ".jpg"}
    images = {path.name: open_image(path) for path in files}
    assert {str(image.dtype) for image in images.values()} == {"uint8", "uint16"}
    stack = images["focus_series.ome.tif"]
    assert (stack.axes, len(stack.planes), stack.pixel_size_um) == ("ZYX", 3, 0.65)
    assert images["brightfield_rgb.png"].conversion == "luminance of RGB"


def test_settings_file_is_what_the_script_makes():
    # After a change of the settings: python examples/make_settings.py
    assert (FOLDER / "beadctl.toml").read_text(encoding="utf-8") == script("make_settings").compose()


def test_settings_file_shows_every_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (FOLDER / "beadctl.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text) == {section: {} for section in Settings.model_fields}
    active = re.sub(r"^#(?=\w)", "", text, flags=re.MULTILINE)
    Path("all.toml").write_text(active, encoding="utf-8")
    assert set(load(Path("all.toml")).origins.values()) == {"all.toml"}
    defaults = "".join(line for line in active.splitlines(True) if "# unset by default" not in line)
    Path("defaults.toml").write_text(defaults, encoding="utf-8")
    assert load(Path("defaults.toml")).settings == Settings()
    assert len(re.findall(r"^\w+ = ", active, flags=re.MULTILINE)) == len(list(fields()))
