"""Runs that processes of this computer share: many do what one does, and none is left when the run ends."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tifffile
from helpers.children import children
from helpers.images import discs

from beadctl.cluster import place
from beadctl.console import stopping
from beadctl.errors import ClusterError
from beadctl.model import session

psutil = pytest.importorskip("psutil")
needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")

# Kills the process that opens a poison image; Python imports it as it starts.
POISON = """
import os, signal, sys
if "--multiprocessing-fork" in sys.orig_argv:
    from beadctl.images import open_image
    from beadctl.results import image_work
    def opened(path, read, **named):
        if path.name.startswith("poison"):
            os.kill(os.getpid(), signal.SIGKILL)
        return open_image(path, read, **named)
    image_work.open_image = opened
"""

STILLBORN = """
import os, signal, sys
if "--multiprocessing-fork" in sys.orig_argv:
    os.kill(os.getpid(), signal.SIGKILL)
"""
BLOCKED = """
import os, signal, sys
if "--multiprocessing-fork" in sys.orig_argv:
    with open(os.environ["BLOCKED"], "a") as file:
        file.write(f"{sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, [])))}\\n")
"""


def begun(words):
    """Start the command line in a session of its own, whose processes can be sent one signal."""
    return subprocess.Popen(
        [sys.executable, "-m", "beadctl", *map(str, words)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_they_write_what_one_process_writes(run, few, model_path, monkeypatch):
    before = children()
    monkeypatch.setattr("beadctl.cpus.usable_cpus", lambda: 6)
    assert run("segment", few, "-o", "alone", "-m", model_path).code == 0
    said = run("segment", few, "-o", "out", "-m", model_path, "--cluster", "local:2")
    assert said.code == 0, said.err
    assert "the work is shared by 2 processes" in said.err
    for name in ("counts.csv", "beads.csv", "masks/2_masks.tif", "overlays/0_overlay.png"):
        assert Path("out", name).read_bytes() == Path("alone", name).read_bytes()
    assert children() <= before


def test_a_report_says_whose_the_threads_are(run, few, model_path):
    pytest.importorskip("jinja2", reason="needs the extra report")
    words = ("segment", few, "-m", model_path, "--report", "-o")
    assert run(*words, "out", "--cluster", "local:2").code == 0
    assert run(*words, "alone").code == 0
    shared, alone = (Path(out, "report.html").read_text() for out in ("out", "alone"))
    assert "CPU threads of each" in shared
    assert "CPU threads of each" not in alone
    assert "CPU threads" in alone


@pytest.mark.parametrize("source", ["images", "labels"])
def test_many_images_are_shared_without_being_asked(run, few, model_path, source, monkeypatch):
    """As many processes as threads, of one thread each; a single thread does all alone."""
    monkeypatch.setattr(place, "IMAGES_EACH", 1)
    monkeypatch.setattr("beadctl.cpus._present_cpus", lambda: 3)
    monkeypatch.setattr("beadctl.memory.usable_bytes", lambda: 2**35)
    words = ["count", few, "-m", model_path, "--threads", "3"]
    if source == "labels":
        for path in few.iterdir():
            tifffile.imwrite(path, discs(4, seed=5)[1].astype("uint16"))
        words = ["count", "--labels", few, "--threads", "3"]
    shared = run(*words, "-o", "out")
    assert shared.code == 0, shared.err
    assert "the work is shared by 3 processes" in shared.err
    monkeypatch.setattr(place, "IMAGES_EACH", 100)
    alone = run(*words, "-o", "alone")
    assert "shared" not in alone.err
    assert Path("out/counts.csv").read_bytes() == Path("alone/counts.csv").read_bytes()
    records = [json.loads(Path(out, "run.json").read_text()) for out in ("out", "alone")]
    assert [one.get("processes") for one in records] == [3, None]
    assert [one["threads"] for one in records] == [1, 3]


@pytest.mark.parametrize(("device", "ordered"), [("cpu", ["cpu"]), ("cuda:0", [])])
def test_processes_that_nobody_asked_for_look_for_no_device(
    run, few, model_path, monkeypatch, device, ordered
):
    """They run the network on the CPU that this process has found; beside a GPU there are none."""
    monkeypatch.setattr(place, "IMAGES_EACH", 1)
    monkeypatch.setattr("beadctl.cpus._present_cpus", lambda: 2)
    monkeypatch.setattr("beadctl.memory.usable_bytes", lambda: 2**35)
    opened = session.open_session
    monkeypatch.setattr(
        session, "open_session", lambda path, _, threads: (opened(path, "cpu", threads)[0], device)
    )
    devices = []

    def refused(place, order, **_):
        devices.append(order.source.device)
        raise ClusterError("none is started")

    monkeypatch.setattr("beadctl.cli.workers.workers_for", refused)
    assert run("count", few, "-m", model_path, "--threads", "2", "--device", "auto").code == 0
    assert devices == ordered


@pytest.mark.parametrize("command", ["segment", "count"])
def test_a_rerun_starts_processes_for_what_is_left_alone(run, few, model_path, command, monkeypatch):
    monkeypatch.setattr("beadctl.cpus._present_cpus", lambda: 2)
    monkeypatch.setattr("beadctl.memory.usable_bytes", lambda: 2**35)
    words = [command, few, "-m", model_path, "--threads", "2", "-o", "out"]
    assert run(*words).code == 0
    monkeypatch.setattr(place, "IMAGES_EACH", 1)
    tifffile.imwrite(few / "new.tif", discs(5)[0])
    alone = run(*words)
    assert "4 of 4 done (3 by an earlier run)" in alone.err
    assert "shared by" not in alone.err
    done = run(*words, "--cluster", "local:2")
    assert "4 of 4 done (4 by an earlier run)" in done.err
    assert "shared by" not in done.err
    if command == "segment":
        Path("out/masks/0_masks.tif").unlink()
        Path("out/overlays/1_overlay.png").unlink()
    else:
        # With nothing to replace, they are counted anew.
        for name in ("0.tif", "1.tif"):
            tifffile.imwrite(few / name, discs(6)[0])
    shared = run(*words)
    assert shared.code == 0
    assert "4 of 4 done (2 by an earlier run)" in shared.err
    assert "the work is shared by 2 processes" in shared.err


@needs_signals
@pytest.mark.parametrize("command", [["count"], ["audit", "--no-find"]])
def test_one_process_does_all_where_no_others_can_start(run, few, model_path, tmp_path, monkeypatch, command):
    monkeypatch.setattr(place, "IMAGES_EACH", 1)
    monkeypatch.setattr("beadctl.cpus._present_cpus", lambda: 2)
    monkeypatch.setattr("beadctl.cpus.usable_cpus", lambda: 2)
    monkeypatch.setattr("beadctl.memory.usable_bytes", lambda: 2**35)
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(STILLBORN)
    monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    words = [command[0], few, *command[1:]]
    if command[0] == "audit":
        masks = tmp_path / "masks"
        masks.mkdir()
        for index in range(3):
            tifffile.imwrite(masks / f"{index}.tif", discs(index + 1, seed=index)[1].astype("uint16"))
        words.append(masks)
    else:
        words += ["-m", model_path, "--threads", "2"]
    said = run(*words, "--format", "csv")
    assert "warning: a process died as it started" in said.err
    assert "this process does all the work" in said.err
    monkeypatch.setattr(place, "IMAGES_EACH", 100)
    alone = run(*words, "--format", "csv")
    assert (said.code, said.out) == (alone.code, alone.out)
    assert run(*words, "--cluster", "local:2").code == 3


def test_notes_name_files_as_the_user_gave_them(run, few, model_path):
    corners = [[0, 0], [9999, 0], [9999, 9999], [0, 9999], [0, 0]]
    Path("region.geojson").write_text(
        json.dumps({"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [corners]}})
    )
    words = ("count", "few", "-m", model_path, "--region", "region.geojson", "-o", "out", "--overwrite")
    alone, shared = run(*words), run(*words, "--cluster", "local:2")

    def told(said):
        """Its lines on the region; of equal notes that of the first image to be done is shown."""
        lines = [line for line in said.err.splitlines() if "region.geojson" in line]
        return [re.sub(r"few.[012]\.tif", "few/N.tif", line) for line in lines]

    assert len(told(alone)) == 2
    assert "few/N.tif: region.geojson" in told(alone)[0]
    assert told(shared) == told(alone)


@needs_signals
def test_a_file_that_cannot_be_looked_at_is_a_row(run, few, model_path, tmp_path):
    """As a folder that may not be entered any more, which root would enter all the same."""
    (few / "loop.tif").symlink_to("loop.tif")
    words = ("count", few, "-m", model_path, "--format", "csv")
    alone = run(*words)
    shared = run(*words, "--cluster", "local:2")
    assert (shared.code, shared.out) == (alone.code, alone.out) == (1, alone.out)
    assert "cannot be read (Too many levels of symbolic links)" in alone.out
    masks = tmp_path / "masks"
    masks.mkdir()
    for path in few.iterdir():
        (masks / path.name).symlink_to(path)
    words = ("audit", few, masks, "--no-find", "--format", "csv")
    alone = run(*words)
    shared = run(*words, "--cluster", "local:2")
    assert (shared.code, shared.out) == (alone.code, alone.out)


@needs_signals
def test_processes_import_what_the_command_imports(few, model_path, tmp_path):
    """A script, as pip installs it, imports nothing from the folder where it is called."""
    script, folder = tmp_path / "bin/beadctl", tmp_path / "here"
    for path in (script.parent, folder):
        path.mkdir()
    script.write_text("from beadctl.__main__ import main\nif __name__ == '__main__':\n    main()\n")
    for name in ("multiprocessing", "socket", "numpy", "beadctl"):
        (folder / f"{name}.py").write_text(f"raise ImportError('{name} of the folder')\n")
    words = [sys.executable, script, "count", few, "-m", model_path, "--cluster", "local:2"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "of the folder" not in done.stderr


@needs_signals
def test_processes_that_start_have_signals_blocked(few, model_path, tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(BLOCKED)
    environment = os.environ | {
        "PYTHONPATH": f"{site}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
        "BLOCKED": str(tmp_path / "blocked"),
    }
    words = ["count", few, "-m", model_path, "--cluster", "local:2"]
    subprocess.run([sys.executable, "-m", "beadctl", *words], env=environment, check=True)
    blocked = (tmp_path / "blocked").read_text().splitlines()
    assert blocked == [str(sorted(map(int, stopping.SIGNALS)))] * 2


@needs_signals
def test_a_poison_image_is_a_row_and_the_others_go_on(run, few, model_path, tmp_path, monkeypatch):
    for name in ("poison1.tif", "poison2.tif"):
        tifffile.imwrite(few / name, discs(2)[0])
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(POISON)
    monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    said = run("segment", few, "-o", "out", "-m", model_path, "--cluster", "local:2")
    assert said.code == 1, said.err
    rows = {row["image"]: row for row in csv.DictReader(Path("out/counts.csv").open())}
    assert {name: row["status"] for name, row in rows.items()} == {
        **dict.fromkeys(("0.tif", "1.tif", "2.tif"), "ok"),
        **dict.fromkeys(("poison1.tif", "poison2.tif"), "failed"),
    }
    assert rows["poison1.tif"]["reason"].startswith("its worker died 3 times, at last with nothing else")


@pytest.mark.slow
@needs_signals
@pytest.mark.parametrize(
    ("number", "to_all", "code"),
    [
        (signal.SIGINT, True, 130),
        (signal.SIGTERM, True, 143),
        (signal.SIGTERM, False, 143),
        (getattr(signal, "SIGKILL", None), False, -9),
    ],
)
def test_a_signal_ends_the_processes_too(few, model_path, tmp_path, number, to_all, code):
    for index in range(40):
        tifffile.imwrite(few / f"more{index}.tif", discs(20, 700, 700, seed=index)[0])
    words = ["segment", few, "-m", model_path, "-o", tmp_path / "out", "--cluster", "local:2"]
    process = begun(words)
    while not list((tmp_path / "out/masks").glob("[!.]*.tif")):
        assert process.poll() is None
        time.sleep(0.02)
    workers = psutil.Process(process.pid).children(recursive=True)
    # A terminal, or a batch system, sends it to all processes.
    (os.killpg if to_all else os.kill)(process.pid, number)
    began = time.monotonic()
    _, said = process.communicate(timeout=60)
    assert time.monotonic() - began < 20
    assert process.returncode == code, said
    assert "Traceback" not in said
    psutil.wait_procs(workers, timeout=10)
    assert not [one for one in workers if one.is_running()]
    if number != getattr(signal, "SIGKILL", None):
        assert "finished work is kept, run the same command again to go on" in said.splitlines()[-1]
        assert json.loads((tmp_path / "out/run.json").read_text())["outcome"] == "stopped"
        assert not list((tmp_path / "out").rglob(".beadctl.lock"))
    done = subprocess.run([sys.executable, "-m", "beadctl", *map(str, words[:-2])], check=False)
    assert done.returncode == 0


@needs_signals
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_processes_start_is_one_line(few, model_path, tmp_path, number):
    process = begun(["segment", few, "-m", model_path, "-o", tmp_path / "out", "--cluster", "local:4"])
    started = []
    while not started:
        assert process.poll() is None
        started = psutil.Process(process.pid).children()
    os.killpg(process.pid, number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number, said
    assert len(said.splitlines()) <= 2, said
    psutil.wait_procs(started, timeout=10)
    assert not [one for one in started if one.is_running()]


@pytest.mark.slow
def test_trials_of_a_comparison(run, tmp_path):
    words = ("compare-losses", "--losses", "dice,focal", "--seeds", "1", "--simulate", "4", "--size", "64")
    budget = ("--epochs", "1", "--width", "4", "--depth", "2", "--no-pictures")
    said = run(*words, *budget, "-o", "out", "--cluster", "local:2")
    assert said.code == 0, said.err
    assert "2 of 2 trials to run on a cluster into out" in said.err
    alone = run(*words, *budget, "-o", "alone", "--threads", "1")
    assert alone.code == 0
    for path in Path("out").glob("*/result.json"):
        here = json.loads(path.read_text())
        there = json.loads((Path("alone") / path.parent.name / "result.json").read_text())
        assert here["jaccard"] == there["jaccard"]


def test_an_audit_of_many_pairs_is_shared(run, few, tmp_path, monkeypatch):
    masks = tmp_path / "masks"
    masks.mkdir()
    for index in range(3):
        tifffile.imwrite(masks / f"{index}.tif", discs(index + 1, seed=index)[1].astype("uint16"))
    words = ("audit", few, masks, "--threads", "2")
    alone = run(*words, "-o", "alone")
    monkeypatch.setattr(place, "IMAGES_EACH", 1)
    monkeypatch.setattr("beadctl.cpus._present_cpus", lambda: 2)
    monkeypatch.setattr("beadctl.cpus.usable_cpus", lambda: 2)
    monkeypatch.setattr("beadctl.memory.usable_bytes", lambda: 2**35)
    shared = run(*words, "-o", "out")
    assert "the work is shared by 2 processes" in shared.err
    assert (shared.code, shared.out) == (alone.code, alone.out)
    assert Path("out/audit.csv").read_bytes() == Path("alone/audit.csv").read_bytes()
