"""A run that is killed or stopped keeps what is done, and a rerun does the rest."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tifffile
from helpers.images import discs
from helpers.results_folder import counts, table
from helpers.stages import STAGES
from PIL import Image


def environment():
    # One thread a process keeps the interruption in the middle of the work.
    return os.environ | {"OMP_NUM_THREADS": "1"}


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "beadctl", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        preexec_fn=hear_interrupts if sys.platform != "win32" else None,  # noqa: PLW1509
    )


def hear_interrupts():
    """A shell starts background jobs deaf to SIGINT, and children inherit that; these shall hear it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def many(tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for index in range(24):
        tifffile.imwrite(folder / f"i{index:02d}.tif", discs(index % 5 + 1, 240, 240, seed=index)[0])
    return folder


def interrupt(process, out, number):
    """Send a signal once a few images are done."""
    deadline = time.monotonic() + 60
    while len(list(Path(out).glob("masks/*_masks.tif"))) < 3:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(number)
    return process.communicate(timeout=60)


def whole_files(out):
    """Every file that has its name is whole."""
    done = set()
    for path in Path(out).rglob("*"):
        if path.name.startswith(".") or not path.is_file():
            continue
        if path.suffix == ".tif":
            assert tifffile.imread(path).shape == (240, 240)
            done.add(path.name.removesuffix("_masks.tif"))
        elif path.suffix == ".png":
            Image.open(path).load()
        elif path.suffix == ".json":
            json.loads(path.read_text().partition("\n")[0] if "parts" in path.parts else path.read_text())
    return done


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_killed_run_leaves_whole_files_and_is_taken_up(segment, many, model_path):
    process = start("segment", many, "-m", model_path, "-o", "out")
    interrupt(process, "out", signal.SIGKILL)
    done = whole_files("out")
    assert 3 <= len(done) < 24
    stamps = {name: Path(f"out/masks/{name}_masks.tif").stat().st_mtime_ns for name in done}
    assert segment(many, "-o", "out").code == 0
    assert {name: Path(f"out/masks/{name}_masks.tif").stat().st_mtime_ns for name in done} == stamps
    assert segment(many, "-o", "straight").code == 0
    assert Path("out/beads.csv").read_bytes() == Path("straight/beads.csv").read_bytes()
    assert counts("out/counts.csv") == counts("straight/counts.csv")
    assert set(counts("out/counts.csv").values()) == {1, 2, 3, 4, 5}
    status = {row["image"][:3]: row["status"] for row in table("out/counts.csv")}
    assert {name for name in status if status[name] == "skipped"} == done


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_keeps_what_is_done(segment, many, model_path, number, code):
    process = start("segment", many, "-m", model_path, "-o", "out")
    _, err = interrupt(process, "out", number)
    assert process.returncode == code
    assert "Traceback" not in err
    assert [line for line in err.splitlines() if line.startswith("error: ")] == [err.splitlines()[-1]]
    assert "run the same command again" in err
    done = whole_files("out")
    rows = table("out/counts.csv")
    assert len(rows) == 24
    assert {row["image"][:3] for row in rows if row["status"] == "ok"} == done
    assert {row["reason"] for row in rows if row["status"] == "failed"} == {
        "not reached: the run was stopped"
    }
    assert json.loads(Path("out/run.json").read_text())["outcome"] == "stopped"
    assert segment(many, "-o", "out").code == 0
    assert len(whole_files("out")) == 24


SLOW = """
import sys, time
from importlib import import_module
from beadctl.cli.main import main
module, stage, calls = import_module(sys.argv.pop(1)), sys.argv.pop(1), []
real = getattr(module, stage)

def slow(*arguments, **named):
    calls.append(1)
    if len(calls) == 4:
        print("slow", flush=True)
        time.sleep(60)
    return real(*arguments, **named)

setattr(module, stage, slow)
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("stage", STAGES)
def test_a_signal_waits_for_no_slow_step(segment, many, model_path, stage):
    """A plane of a gigapixel is labelled for minutes, and a batch system kills after seconds."""
    words = ["segment", many, "-m", model_path, "-o", "out", "-q"]
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, STAGES[stage], stage, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stdout.readline() == "slow\n"
    began = time.monotonic()
    process.send_signal(signal.SIGUSR1)
    _, err = process.communicate(timeout=60)
    # Two seconds, and what a machine with other work may take longer.
    assert time.monotonic() - began < 6
    assert process.returncode == 143
    done = [row["image"][:3] for row in table("out/counts.csv") if row["status"] == "ok"]
    assert set(done) == whole_files("out")
    assert 1 <= len(done) <= 3
    assert f"terminated (segmenting: {len(done)} of 24 done)" in err
    assert json.loads(Path("out/run.json").read_text())["outcome"] == "stopped"
