"""A signal at any line of a run: words, record and table tell the same of it, and nothing is left."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from time import sleep

import numpy as np
import pytest
import tifffile

import beadctl
from beadctl.console import Messages, stopping
from beadctl.errors import Interrupted
from beadctl.files import TEMPORARY
from beadctl.images import find
from beadctl.lock import NAME
from beadctl.model.session import Model
from beadctl.results import run as results_run
from beadctl.results.formats import Output
from beadctl.results.outputs import Outputs
from beadctl.results.process import process
from beadctl.results.sources import ByNetwork
from beadctl.segmentation.options import SegmentOptions

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")

IMAGES = 3
# Files of the lines in which the main thread is while images are done.
PACKAGE = Path(beadctl.__file__).parent
WATCHED = tuple(str(PACKAGE / name) for name in ("results/", "lock.py", "console/messages.py"))


@pytest.fixture
def segmenting(tmp_path, model_path, monkeypatch):
    """A function that segments blank images, which take no time, into a folder."""
    # No thread is to leave the process of the tests.
    monkeypatch.setattr(stopping, "_leave_later", lambda _: None)
    for index in range(IMAGES):
        tifffile.imwrite(tmp_path / f"{index}.tif", np.full((16, 16), index, np.uint8))
    found, model = find([tmp_path]), Model(model_path, "cpu", 1)
    source = ByNetwork(model, SegmentOptions.of(model.facts))
    settings = {"inference": {"device": "cpu"}, "output": {}}

    def segment(out):
        outputs = Outputs(out, (Output.MASKS,))
        process([tmp_path], found, source, outputs, settings=settings, messages=Messages())

    return segment


def traced(call, at_line):
    """Call a function, and another before each line of the watched files; return what a signal raised."""

    def trace(frame, event, _):
        if event == "line":
            at_line((frame.f_code.co_filename, frame.f_lineno))
        return trace if frame.f_code.co_filename.startswith(WATCHED) else None

    with stopping.listening():
        sys.settrace(trace)
        try:
            call()
        except Interrupted as stop:
            return str(stop)
        finally:
            sys.settrace(None)
    return ""


def check(out, said):
    """Check what a run says, if a signal ended it, and leaves; return the images that it says are done."""
    left = [path.name for path in out.rglob("*")]
    assert not [name for name in left if name.startswith((TEMPORARY, NAME, "reserve"))]
    masks = sorted(name for name in left if name.endswith("_masks.tif"))
    told = re.search(r"segmenting: (\d+) of 3 done\)", said)
    if "run.json" not in left:
        assert (masks, "counts.csv" in left) == ([], False)
        return None
    outcome = json.loads((out / "run.json").read_text())["outcome"]
    rows = list(csv.DictReader((out / "counts.csv").open()))
    done = [row["image"].replace(".tif", "_masks.tif") for row in rows if row["status"] == "ok"]
    assert len(rows) == IMAGES
    assert done == masks
    if outcome == "finished":
        # A signal may come once the run has ended.
        assert len(done) == IMAGES
        return IMAGES
    assert said
    assert len(done) == (int(told[1]) if told else 0)
    return len(done)


def test_words_record_and_table_agree_whenever_a_signal_comes(segmenting, tmp_path):
    # The first run imports what it needs.
    segmenting(tmp_path / "first")
    passed = []
    assert traced(lambda: segmenting(tmp_path / "second"), passed.append) == ""
    # At each line the signal comes when nothing is done yet, and when something is.
    moments = {(line, min(time, passed.count(line))) for line in passed for time in (1, 2)}
    done, came = [], 0
    for number, (place, time) in enumerate(sorted(moments)):
        out, seen = tmp_path / f"out{number}", []

        def at_line(line, place=place, time=time, seen=seen):
            seen += [line] * (line == place)
            if line == place and len(seen) == time:
                signal.raise_signal(signal.SIGTERM)

        done.append(check(out, traced(lambda out=out: segmenting(out), at_line)))
        came += len(seen) >= time
    # Where a run waits longer or shorter than the one before, a line may not come.
    assert came > 0.9 * len(moments) > 200
    assert {None, IMAGES} <= set(done)


@pytest.mark.parametrize("form", ["csv", "json", "jsonl", "table"])
def test_count_prints_what_is_done_when_a_signal_comes(run, form, model_path, tmp_path, monkeypatch):
    monkeypatch.setattr(stopping, "_leave_later", lambda _: None)
    names = [f"{index}.tif" for index in range(6)]
    for index, name in enumerate(names):
        tifffile.imwrite(tmp_path / name, np.full((16, 16), index, np.uint8))
    real, calls = results_run._result, []

    def result(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return real(*arguments)

    monkeypatch.setattr(results_run, "_result", result)
    with stopping.listening():
        said = run("count", tmp_path, "-m", model_path, "--format", form)
    assert said.code == 143
    done = int(re.search(r"segmenting: (\d+) of 6 done", said.err)[1])
    assert [name for name in names if name in said.out] == names[:done]
    assert done >= 2
    if form == "json":
        assert len(json.loads(said.out)) == done


def test_a_reader_that_has_stopped_holds_neither_tables_nor_lock(model_path, tmp_path):
    planes, folder, out = 300, tmp_path / "images", tmp_path / "out"
    folder.mkdir()
    for index in range(2):
        stack = np.full((planes, 16, 16), index, np.uint8)
        tifffile.imwrite(folder / f"{index}.tif", stack, photometric="minisblack")
    process = subprocess.Popen(
        [sys.executable, "-m", "beadctl", "count", folder, "-m", model_path, "-o", out, "--format", "jsonl"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    # The rows of one stack are more than a pipe takes.
    while not (out / ".beadctl/parts/0.tif.json").exists():
        assert process.poll() is None
        sleep(0.01)
    sleep(0.3)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143
    left = [path.name for path in out.rglob("*")]
    assert not [name for name in left if name.startswith((TEMPORARY, NAME, "reserve"))]
    assert json.loads((out / "run.json").read_text())["outcome"] == "stopped"
    rows = list(csv.DictReader((out / "counts.csv").open()))
    assert sum(row["image"] == "0.tif" and row["status"] == "ok" for row in rows) == planes
