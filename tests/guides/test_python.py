"""The guide to Python: its blocks, its notebook, and the script that needs no beadctl."""

import importlib.util
import json
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from helpers.guides import ROOT, blocks

import beadctl
from beadctl.simulate import render

FOLDER = ROOT / "examples/python"
MODEL = ROOT / "beadctl/model/bead.onnx"
SEGMENTING = [
    block.text
    for block in blocks(FOLDER / "README.md")
    if block.language == "python" and "beadctl.train" not in block.text
]


@pytest.mark.filterwarnings("ignore::beadctl.BeadctlWarning")
def test_the_blocks_of_the_guide_run(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    one, many = SEGMENTING
    names = {}
    exec(one, names)
    assert names["result"].count == len(names["beads"]) > 20
    assert f"{names['result'].count} beads; " in capsys.readouterr().out
    with pytest.warns(beadctl.BeadctlWarning, match="quality flag"):
        exec(many, names)
    assert len(names["counts"]) == 9


def test_the_line_for_napari_gives_each_label_its_bead():
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    (line,) = (line for line in text.splitlines() if line.startswith("napari.Viewer()"))
    seen = {}

    class Viewer:
        def add_labels(self, labels, *, features):
            seen.update(labels=labels, features=features)

    plane = render(np.random.default_rng(5), 128).image
    result = beadctl.segment(plane, model=beadctl.open_model(device="cpu", threads=1))
    exec(
        line,
        {"napari": SimpleNamespace(Viewer=Viewer), "result": result, "beads": pd.DataFrame(result.beads)},
    )
    # napari looks a label up in the column `index`.
    assert set(seen["features"]["index"]) == set(np.unique(seen["labels"])) - {0}


@pytest.mark.filterwarnings("ignore::beadctl.BeadctlWarning")
def test_the_notebook_runs(monkeypatch):
    monkeypatch.chdir(FOLDER)
    notebook = json.loads((FOLDER / "beadctl.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    # Figures of an earlier model would stay where nothing compares them.
    assert not any(cell["outputs"] for cell in cells)
    names = {}
    for cell in cells:
        exec("".join(cell["source"]), names)
    assert names["result"].count == len(names["beads"]) > 10
    assert names["overlay"].shape == (*names["plane"].shape, 3)
    assert names["by_plane"] == names["counts"].query("image == 'focus_series.ome.tif'")["count"].tolist()
    assert names["done"][-1] == (7, 7)
    assert "choose one by plane" in names["said"]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("use_the_model", FOLDER / "use-the-model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def surrounded(plane):
    """A plane of which a fifth is zero."""
    plane = plane.copy()
    plane[: len(plane) // 5] = 0
    return plane


def flat(plane):
    """A plane of two grey levels and a hot pixel: its field without the background has no contrast."""
    plane = np.where(plane > plane.min() / 2 + plane.max() / 2, 200, 0).astype("u1")
    plane[0, 0] = 7
    return plane


@pytest.mark.parametrize("shape", [(93, 150), (256, 70)])
@pytest.mark.parametrize("changed", [surrounded, flat])
def test_the_mask_without_beadctl_is_that_of_beadctl(script, model_path, shape, changed):
    plane = changed(render(np.random.default_rng(3), shape).image)
    for path in (MODEL, model_path):
        model = beadctl.open_model(path, device="cpu", threads=1)
        probability = model.maps(beadctl.InMemory(plane)).probability / 255
        found = script.mask(path, plane.astype(float))
        assert found.any()
        # Its own probabilities are rounded to 255 levels.
        assert np.mean(found != (probability > model.facts.threshold)) < 1e-3


def test_the_script_needs_onnxruntime_and_numpy_alone(script, tmp_path):
    plane = render(np.random.default_rng(4), (64, 80)).image
    np.save(tmp_path / "plane.npy", plane)
    code = (
        "import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__');"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    words = [FOLDER / "use-the-model.py", MODEL, tmp_path / "plane.npy", tmp_path / "mask.npy"]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert not set(done.stdout.split()) & {"beadctl", "scipy", "skimage", "torch", "onnx"}
    found = np.load(tmp_path / "mask.npy")
    np.testing.assert_array_equal(found, script.mask(MODEL, plane.astype(float)))
    assert f"{found.mean():.1%} of the pixels" in done.stdout


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("npm") is None, reason="Node is not installed")
def test_the_mask_in_a_browser_runtime_is_the_same(script, tmp_path):
    npm = [
        "npm",
        "install",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--prefix",
        ".",
        "onnxruntime-web@1.30",
    ]
    if subprocess.run(npm, cwd=tmp_path, capture_output=True).returncode:
        pytest.skip("the registry of npm is not reached")
    shutil.copy(ROOT / "examples/model-file/use-the-model.mjs", tmp_path)
    for shape, changed in (((93, 150), surrounded), ((256, 70), flat)):
        plane = changed(render(np.random.default_rng(4), shape).image)
        plane.astype("<f4").tofile(tmp_path / "plane.f32")
        words = ["use-the-model.mjs", MODEL, "plane.f32", *shape, "mask.u8"]
        done = subprocess.run(["node", *map(str, words)], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found = np.fromfile(tmp_path / "mask.u8", np.uint8).reshape(shape).astype(bool)
        assert found.any()
        assert np.mean(found != script.mask(MODEL, plane.astype(float))) < 1e-3
