"""Using a model needs neither torch nor onnx nor matplotlib; training without them names the extra."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tifffile
from helpers.images import discs

BLOCKED = ("torch", "onnx", "onnxscript", "matplotlib")

# One process for all commands of a test: each start costs a second.
SCRIPT = """
import importlib.abc, json, sys
blocked, calls = json.loads(sys.argv[1])

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from beadctl.cli import main
codes = [main.run(call) for call in calls]
loaded = sorted(name for name in sys.modules if name.partition(".")[0] in blocked)
print("\\n" + json.dumps([codes, loaded]))
"""


def run_without(blocked, calls, folder):
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            SCRIPT,
            json.dumps([blocked, [[str(word) for word in call] for call in calls]]),
        ],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=300,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    codes, loaded = json.loads(done.stdout.splitlines()[-1])
    return codes, loaded, done


def test_a_model_is_used_without_the_training_extra(model_path, tmp_path):
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for count in (2, 3, 4):
        for folder, array in zip(("images", "masks"), discs(count), strict=True):
            tifffile.imwrite(tmp_path / folder / f"{count}.tif", array)
    calls = [
        ("segment", "images", "-m", model_path, "-o", "out"),
        ("count", "images", "-m", model_path),
        ("eval", "images", "masks", "-m", model_path),
        ("tile", "images", "masks", "-o", "tiles", "--size", "64", "--overlap", "8"),
        ("eval", "--tiles", "tiles", "-m", model_path),
        ("simulate", "sim", "-n", "1", "--size", "48"),
        ("info", model_path),
        ("info", "images/2.tif"),
        ("info", "--settings"),
        ("completions", "bash"),
    ]
    codes, loaded, done = run_without(BLOCKED, calls, tmp_path)
    assert codes == [0] * len(calls), done.stderr
    assert loaded == []
    assert len(list((tmp_path / "out/masks").iterdir())) == 3


def test_training_says_what_to_install(tmp_path):
    (tmp_path / "run").mkdir()
    calls = [
        ("train", "--simulate", "4", "-o", "new"),
        ("export", "run"),
        ("compare-losses", "--seeds", "1", "-o", "compared"),
        ("tune", "images", "masks", "-o", "tuned"),
    ]
    codes, _, done = run_without(BLOCKED, calls, tmp_path)
    assert codes == [3] * 4, done.stderr
    errors = [line for line in done.stderr.splitlines() if line]
    assert errors == ['error: torch is not installed; pip install "beadctl[train]"'] * 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_a_missing_required_package_keeps_its_traceback(model_path, tmp_path):
    with pytest.raises(AssertionError, match=r"ModuleNotFoundError.*skimage"):
        run_without(["skimage"], [("segment", Path("x"), "-m", model_path)], tmp_path)
