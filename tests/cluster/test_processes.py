"""Processes of this computer: many do what one does, and none is left when the run ends."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from concurrent.futures import wait
from pathlib import Path

import pytest
import tifffile
from helpers.images import discs
from helpers.orders import Played

from beadctl.cluster import place
from beadctl.cluster.place import Local
from beadctl.cluster.processes import Processes
from beadctl.cluster.start import workers_for
from beadctl.console import Messages, stopping
from beadctl.errors import ClusterError, FileNote, ImageError, ModelError

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


@pytest.fixture
def few(tmp_path):
    folder = tmp_path / "few"
    folder.mkdir()
    for index in range(3):
        tifffile.imwrite(folder / f"{index}.tif", discs(index + 1, seed=index)[0])
    return folder


@pytest.fixture
def two():
    processes = Processes(Local(2), Played())
    yield processes
    processes.give_up()


def children():
    """Processes of this one, without that in which Python itself counts what processes share."""
    found = psutil.Process().children(recursive=True)
    return {one.pid for one in found if "resource_tracker" not in " ".join(one.cmdline())}


def test_all_tasks_are_done_by_all_processes(two):
    assert (two.places, two.facts) == (2, {"threads": 3, "number": [0, 1]})
    futures = [two.submit("sleep", 0.02) for _ in range(20)]
    done = [future.result(30) for future in futures]
    assert len({pid for _, pid, _ in done}) == 2
    assert os.getpid() not in {pid for _, pid, _ in done}
    two.check()


@needs_signals
def test_only_the_task_that_kills_its_process_fails(two):
    futures = [two.submit(what, 0.01) for what in ("sleep", "die", "sleep", "sleep", "die", "sleep")]
    wait(futures, 60)
    for future in futures[1], futures[4]:
        assert isinstance(future.exception(0), ImageError)
        assert str(future.exception(0)).startswith(
            "its worker died 3 times, at last with nothing else beside"
        )
    assert all(future.result(0)[0] == "sleep" for future in (*futures[:1], *futures[2:4], *futures[5:]))
    two.check()


@needs_signals
def test_a_task_whose_process_dies_once_is_done_by_another(two, tmp_path):
    before = children()
    done = two.submit("die once", tmp_path / "died").result(30)
    assert done[0] == "die once"
    futures = [two.submit("sleep", 0.05) for _ in range(8)]
    assert len({future.result(30)[1] for future in futures}) == 2
    assert len(children() & before) == 1


def test_errors_and_notes_come_back(two, tmp_path):
    with pytest.warns(FileNote, match="a note") as told:
        assert two.submit("note", tmp_path).result(30)[0] == "note"
    assert told[0].message.path == tmp_path
    with pytest.raises(ModelError, match=r"^bead.onnx: broken$"):
        two.submit("fail").result(30)
    with pytest.raises(ImageError, match=r"^no such file"):
        two.submit("absent", tmp_path / "gone.tif").result(30)
    with pytest.raises(ClusterError, match=r"^internal error, please report it: ZeroDivisionError: by 0$"):
        two.submit("bug").result(30)
    assert two.submit("sleep", 0).result(30)[0] == "sleep"


def test_a_note_that_a_filter_makes_an_error_is_one(two, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error", FileNote)
        with pytest.raises(FileNote):
            two.submit("note", tmp_path).result(30)


@pytest.mark.parametrize(
    ("opens", "error", "words"),
    [
        ("fails", ModelError, r"^bead.onnx: another model$"),
        ("bug", ClusterError, r"^internal error, please report it: ZeroDivisionError: by 0$"),
    ],
)
def test_a_tool_that_cannot_be_opened_is_its_error(opens, error, words, capfd):
    before = children()
    with pytest.raises(error, match=words):
        Processes(Local(2), Played(opens))
    assert children() <= before
    assert capfd.readouterr().err == ""


@needs_signals
def test_processes_that_die_as_they_start_are_one_line():
    before = children()
    with pytest.raises(ClusterError, match=r"^a process died as it started; is there memory for so many"):
        Processes(Local(2), Played("dies"))
    assert children() <= before


@needs_signals
def test_a_process_that_cannot_be_replaced_ends_the_work(two):
    two._order = Played("dies")
    two.submit("die")
    end = time.monotonic() + 30
    with pytest.raises(ClusterError, match=r"^a process died as it started"):
        while time.monotonic() < end:
            two.check()


@needs_signals
def test_a_process_that_cannot_be_replaced_is_done_without(two, tmp_path):
    before = two._order
    two._order = Played("dies")
    assert two.submit("die once", tmp_path / "died").result(30)[0] == "die once"
    two._order = before
    futures = [two.submit("sleep", 0.01) for _ in range(8)]
    assert len({future.result(30)[1] for future in futures}) == 1
    two.check()


@needs_signals
def test_no_task_is_lost_where_files_are_too_many_for_another_process(two):
    import resource

    most = resource.getrlimit(resource.RLIMIT_NOFILE)
    two.submit("die")
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, most[1]))
        end = time.monotonic() + 30
        with pytest.raises(ClusterError, match=r"^no process can be started \(Too many open files\)"):
            while time.monotonic() < end:
                two.check()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, most)


def test_a_result_that_cannot_be_sent_is_an_error(two):
    with pytest.raises(ClusterError, match=r"internal error, please report it: .*lambda"):
        two.submit("lambda").result(30)
    assert two.submit("sleep", 0).result(30)[0] == "sleep"


def test_given_up_processes_leave_no_temporary_files(two, tmp_path):
    copy = tmp_path / "copy"
    two.submit("copy", copy)
    end = time.monotonic() + 30
    while not copy.exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    two.give_up()
    assert not copy.exists()


def test_processes_end_where_their_number_cannot_be_told():
    class Broken(Messages):
        def info(self, message):
            raise BrokenPipeError

    before = children()
    with pytest.raises(BrokenPipeError), workers_for(Local(2), Played(), messages=Broken()):
        pass
    assert children() <= before


def test_given_up_processes_end_at_once():
    before = children()
    processes = Processes(Local(2), Played())
    waiting = [processes.submit("sleep", 60) for _ in range(5)]
    time.sleep(0.3)
    began = time.monotonic()
    processes.give_up()
    assert time.monotonic() - began < 4
    assert children() <= before
    assert not any(future.done() for future in waiting)


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


@pytest.mark.parametrize("source", ["images", "labels"])
def test_many_images_are_shared_without_being_asked(run, few, model_path, source, monkeypatch):
    """As many processes as threads, of one thread each; a single thread does all alone."""
    monkeypatch.setattr(place, "IMAGES_EACH", 1)
    monkeypatch.setattr("beadctl.cpus._present_cpus", lambda: 3)
    monkeypatch.setattr("beadctl.memory.usable_bytes", lambda: 2**35)
    words = ["count", few, "-m", model_path]
    if source == "labels":
        for path in few.iterdir():
            tifffile.imwrite(path, discs(4, seed=5)[1].astype("uint16"))
        words = ["count", "--labels", few]
        monkeypatch.setattr("beadctl.cpus.usable_cpus", lambda: 3)
    else:
        words += ["--threads", "3"]
    shared = run(*words, "-o", "out")
    assert shared.code == 0, shared.err
    assert "the work is shared by 3 processes" in shared.err
    monkeypatch.setattr(place, "IMAGES_EACH", 100)
    alone = run(*words, "-o", "alone")
    assert "shared" not in alone.err
    assert Path("out/counts.csv").read_bytes() == Path("alone/counts.csv").read_bytes()
    threads = [json.loads(Path(out, "run.json").read_text()).get("threads") for out in ("out", "alone")]
    assert threads == ([1, 3] if source == "images" else [None, None])


@pytest.mark.parametrize(
    ("images", "threads", "gib", "workers"),
    [
        (1000, 8, 64, 8),
        (1000, 1, 64, None),
        (63, 8, 64, None),
        (64, 8, 64, 2),
        (1000, 8, 5, 2),
        (1000, 8, 3, None),
    ],
)
def test_how_many_processes_share_images(images, threads, gib, workers):
    found = Local.for_images(images, threads, lambda: gib * 2**30)
    assert found == (workers and Local(workers))


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
    told = [line for line in alone.err.splitlines() if "region.geojson" in line]
    assert len(told) == 2
    assert [line for line in shared.err.splitlines() if "region.geojson" in line] == told


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
    process = subprocess.Popen(
        [sys.executable, "-m", "beadctl", *map(str, words)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
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
    words = ["segment", few, "-m", model_path, "-o", tmp_path / "out", "--cluster", "local:4"]
    process = subprocess.Popen(
        [sys.executable, "-m", "beadctl", *map(str, words)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
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
