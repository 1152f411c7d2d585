"""A run that is killed at any moment, and run again, leaves the folder of a run that nobody disturbed.

    python -m pytest -s -m "slow or not slow" tests/results/test_kills.py

kills a hundred of each command and prints how they went.
"""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import tifffile
from helpers.images import discs
from helpers.kills import Kills

from beadctl import lock
from beadctl.cli import main
from beadctl.results.arrivals import LOOK_S
from beadctl.results.tables import NOT_REACHED
from beadctl.results.watch import BEING_WRITTEN

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")

IMAGES = 12
# Of run.json: what differs between two runs that nobody disturbed.
OF_THE_RUN = ("start", "end", "inputs", "files")


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    for index in range(IMAGES - 1):
        tifffile.imwrite(folder / f"i{index:02d}.tif", discs(index % 5 + 1, 240, 240, seed=index)[0])
    planes = [discs(count, 120, 200)[0] for count in (2, 0, 5)]
    tifffile.imwrite(folder / "stack.tif", planes, photometric="minisblack")
    return folder


def content(out):
    """Every file of a folder, with what says when and in which run an image was done left aside."""
    files = {}
    for path in sorted(Path(out).rglob("*")):
        if path.is_dir():
            continue
        name, data = path.relative_to(out).as_posix(), path.read_bytes()
        if name == "run.json":
            data = {key: value for key, value in json.loads(data).items() if key not in OF_THE_RUN}
        elif name == "counts.csv":
            data = [row | {"status": "", "reason": ""} for row in csv.DictReader(data.decode().splitlines())]
        files[name] = data
    return files


@pytest.fixture(scope="module")
def segmenting(many, model_path):
    """The words of a run into ``out``."""
    return "segment", many, "-m", model_path, "-o", "out"


@pytest.fixture(scope="module")
def kills(segmenting, tmp_path_factory):
    """A run that nobody disturbed; at the end, its kills are told."""
    kills = Kills.of(tmp_path_factory.mktemp("undisturbed"), "out", content, *segmenting)
    yield kills
    print(f"\nsegment: {kills}")


def look(out):
    """Look for a part of a file under its final name, and for a row without its files."""
    for path in out.rglob("[!.]*.tif"):
        tifffile.imread(path)
    if not (out / "counts.csv").exists():
        return
    rows = list(csv.DictReader((out / "counts.csv").read_text().splitlines()))
    done = {row["image"] for row in rows if row["status"] != "failed"}
    named = {path.name.removesuffix("_masks.tif") + ".tif" for path in (out / "masks").glob("[!.]*")}
    assert done <= named
    assert {row["reason"] for row in rows if row["status"] == "failed"} <= {NOT_REACHED, BEING_WRITTEN}
    # SIGKILL may come between the tables and the record, which then has the outcome of the start.
    assert json.loads((out / "run.json").read_text())["outcome"] in ("running", "stopped", "finished")


@pytest.mark.parametrize("kill", range(10))
def test_a_killed_run_is_taken_up_to_the_byte(kill, segmenting, kills, tmp_path):
    kills.kill_and_rerun(kill, tmp_path, segmenting, look)


@pytest.mark.slow
@pytest.mark.parametrize("kill", range(1000, 1100))
def test_many_killed_runs(kill, segmenting, kills, tmp_path):
    kills.kill_and_rerun(kill, tmp_path, segmenting, look)


@pytest.fixture(scope="module")
def watches(kills):
    """The same run, whose kills come while it watches the folder: from before the first image to waiting."""
    # An image that was seen once may still be written: its row fails.
    watches = replace(kills, seconds=kills.seconds + 2 * LOOK_S, killed=[], codes=(1, *kills.codes))
    yield watches
    print(f"\nsegment --watch: {watches}")


@pytest.mark.slow
@pytest.mark.parametrize("kill", range(3000, 3100))
def test_many_killed_watches(kill, segmenting, watches, tmp_path):
    watches.kill_and_rerun(kill, tmp_path, segmenting, look, only=("--watch",))


@pytest.fixture(scope="module")
def shards(many, model_path, tmp_path_factory):
    """A folder of results whose three shards have ended."""
    out = tmp_path_factory.mktemp("shards") / "out"
    for number in (1, 2, 3):
        words = ("segment", many, "-m", model_path, "-o", out, "--save", "masks", "--shard", f"{number}/3")
        assert main.run([str(word) for word in words]) == 0
    return out


@pytest.fixture(scope="module")
def merges(shards, tmp_path_factory):
    """A merge that nobody disturbed; at the end, its kills are told."""
    folder = tmp_path_factory.mktemp("merged")
    shutil.copytree(shards, folder / "out")
    merges = Kills.of(folder, "out", all_files, "merge", "out")
    yield merges
    print(f"\nmerge: {merges}")


def all_files(out):
    """Every file of a folder, to the byte."""
    return {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def look_at_tables(out):
    """Look for a part of a table under its final name."""
    for path in out.glob("[cb]*.csv"):
        images = {row["image"] for row in csv.DictReader(path.read_text().splitlines())}
        assert images == {f"i{index:02d}.tif" for index in range(IMAGES - 1)} | {"stack.tif"}


def kill_a_merge(kill, shards, merges, folder):
    merges.kill_and_rerun(kill, folder, ("merge", "out"), look_at_tables, before=shards)


@pytest.mark.parametrize("kill", range(10))
def test_a_killed_merge_is_run_again_to_the_byte(kill, shards, merges, tmp_path):
    kill_a_merge(kill, shards, merges, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kill", range(2000, 2100))
def test_many_killed_merges(kill, shards, merges, tmp_path):
    kill_a_merge(kill, shards, merges, tmp_path)


def begin(many, model_path, out):
    return subprocess.Popen(
        [sys.executable, "-m", "beadctl", "segment", str(many), "-m", str(model_path), "-o", str(out)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )


def test_two_runs_do_not_write_into_one_folder(many, model_path, tmp_path):
    """While a run works, another is refused at once, and commands that only read go on."""
    out = tmp_path / "out"
    first = begin(many, model_path, out)
    while not (out / "masks").exists():
        assert first.poll() is None, first.stderr.read()
        time.sleep(0.01)
    first.send_signal(signal.SIGSTOP)
    second = begin(many, model_path, out)
    _, said = second.communicate(timeout=300)
    (line,) = [line for line in said.splitlines() if line.startswith("error: ")]
    assert second.returncode == 3
    assert f"in use by another job (process {first.pid} on " in line
    read = subprocess.run(
        [sys.executable, "-m", "beadctl", "count", str(many / "i00.tif"), "-m", str(model_path)],
        capture_output=True,
        timeout=300,
    )
    assert read.returncode == 0
    first.kill()
    first.wait()
    assert (out / lock.NAME).exists()
    assert begin(many, model_path, out).wait(60) == 0
    assert not (out / lock.NAME).exists()
