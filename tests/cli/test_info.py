"""What `beadctl info` tells."""

import re

from helpers.commandline import rows_of

from beadctl import __version__
from beadctl.model.session import DEFAULT_MODEL


def test_info_describes_images_models_and_the_installation(run, model_path, bead_folder, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    image = run("info", bead_folder / "deep/sixteen.tif")
    assert image.code == 0
    for words in ("96 x 128", "uint16", "0.5 um", "1 plane"):
        assert words in image.out
    assert "3 planes of 64 x 128 px" in run("info", bead_folder / "stack.tif").out
    assert "1 plane" in run("info", bead_folder / "stack.tif", "--plane", "1").out
    model = run("info", model_path)
    assert model.code == 0
    for words in ("CC0-1.0", "blobs", "halo"):
        assert words in model.out
    assert "none: marker_threshold and marker_rise part touching beads" in model.out
    assert re.search(r" training\.max_minutes +none ", run("info", DEFAULT_MODEL).out)
    assert re.search(r" pixel_size_um +unknown ", run("info", DEFAULT_MODEL).out)
    assert "touching regions from a probability of 0.3 on" in run("info", DEFAULT_MODEL).out
    said = run("info")
    assert said.code == 0
    assert __version__ in said.out
    assert "CPUExecutionProvider" in said.out


def test_info_compares_devices_and_the_cpu_is_the_first(run, model_path):
    said = run("info", model_path, "--devices", "--format", "csv")
    assert said.code == 0
    first = rows_of(said.out)[0]
    assert (first["device"], float(first["largest_difference"]), first["failure"]) == ("cpu", 0.0, "")
    assert float(first["ms_per_mpx"]) > 0
    absent = run("info", "absent.onnx", "--devices")
    assert (absent.code, absent.out) == (3, "")
