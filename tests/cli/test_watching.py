"""`beadctl segment --watch`: what cannot be watched, and its end by a signal."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tifffile
from helpers.images import discs
from helpers.results_folder import states

from beadctl.lock import NAME


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    return tmp_path / "images"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("images", "--shard", "1/2"), "does not go with --shard"),
        (("images", "--dry-run"), "does not go with --dry-run"),
        (("images", "--cluster", "local:2"), "does not go with --cluster"),
        (("images/a.tif",), "give one folder"),
        (("images", "images"), "give one folder"),
        (("absent",), "absent: no such folder"),
    ],
)
def test_what_cannot_be_watched_is_one_line(run, folder, model_path, words, problem):
    tifffile.imwrite(folder / "a.tif", discs(3)[0])
    said = run("segment", *words, "--watch", "-m", model_path, "-o", "out")
    assert said.code == 2
    assert problem in said.error
    assert not Path("out").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_signal_ends_the_command_in_good_order(run, folder, model_path, tmp_path):
    out = tmp_path / "out"
    words = ["segment", folder, "--watch", "-m", model_path, "-o", out, "--save", "masks", "--report"]
    process = subprocess.Popen(
        [sys.executable, "-m", "beadctl", *map(str, words)], stderr=subprocess.PIPE, text=True
    )
    tifffile.imwrite(folder / "a.tif", discs(3)[0])
    while not (out / "counts.csv").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert "error" not in said
    assert "images: 1, failed: 0, beads: 3" in said
    assert states(out) == {"a.tif": ("ok", "3")}
    assert json.loads((out / "run.json").read_text())["outcome"] == "finished"
    assert not list(out.rglob(f"*{NAME}"))
    # The page is that of the run that has ended.
    page = (out / "report.html").read_bytes()
    assert run("report", out).code == 0
    assert (out / "report.html").read_bytes() == page
