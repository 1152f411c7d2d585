"""One process at a time writes into a folder."""

import subprocess
import sys
import time

import pytest

from beadctl import lock
from beadctl.errors import IncompleteError, OutputError
from beadctl.files import TEMPORARY

HOLD = """
import sys, time
from pathlib import Path
from beadctl import lock
with lock.held(Path(sys.argv[1]), print):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the folder."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "out")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def elsewhere(out):
    """Make the lock one of another host, where nobody can be asked."""
    path = out / lock.NAME
    lines = path.read_text(encoding="utf-8").splitlines()
    told = {"host": "node7", "machine": "node7 pid:[1]"}
    lines = [f"{key}={told[key]}" if (key := line.split("=")[0]) in told else line for line in lines]
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")


def test_a_live_holder_is_named_at_once(holder, tmp_path):
    began = time.monotonic()
    words = r"out: in use by another job \(process \d+ on .+ since 2"
    with pytest.raises(OutputError, match=words) as error, lock.held(tmp_path / "out", print):
        pytest.fail("the folder is held by another process")
    assert str(holder.pid) in str(error.value)
    assert "choose another -o" in str(error.value)
    assert time.monotonic() - began < 5


def test_a_dead_holder_is_followed_at_once_and_what_it_left_is_removed(holder, tmp_path):
    left = tmp_path / "out" / f"{TEMPORARY}a.tif.xxxx.tif"
    left.touch()
    holder.kill()
    holder.wait()
    with lock.held(tmp_path / "out", pytest.fail) as held:
        held.check()
        assert [path.name for path in (tmp_path / "out").iterdir()] == [lock.NAME]
    assert list((tmp_path / "out").iterdir()) == []


def test_a_holder_on_another_host_is_dead_once_it_leaves_the_lock_untouched(holder, tmp_path, monkeypatch):
    holder.kill()
    holder.wait()
    elsewhere(tmp_path / "out")
    said = []
    path = tmp_path / "out" / lock.NAME
    path.write_text(path.read_text().replace("duration=90.0", "duration=1.0"))
    monkeypatch.setattr(lock, "UNTOUCHED_S", 1.0)
    monkeypatch.setattr(lock, "TOUCH_S", 0.5)
    with lock.held(tmp_path / "out", said.append) as held:
        held.check()
    assert len(said) == 1
    assert "on node7" in said[0]


def test_a_holder_on_another_host_is_alive_once_it_touches_the_lock(holder, tmp_path):
    elsewhere(tmp_path / "out")
    path = tmp_path / "out" / lock.NAME

    def touch(_):
        path.write_text(path.read_text())

    began = time.monotonic()
    with pytest.raises(OutputError, match="on node7"), lock.held(tmp_path / "out", touch):
        pytest.fail("the folder is held by another process")
    assert time.monotonic() - began < 10


def test_a_file_that_nobody_filled_in_or_touches_is_no_lock(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "UNTOUCHED_S", 1.0)
    monkeypatch.setattr(lock, "TOUCH_S", 0.5)
    (tmp_path / lock.NAME).touch()
    with lock.held(tmp_path, print) as held:
        held.check()


def test_a_folder_that_is_removed_or_taken_over_is_noticed(tmp_path):
    out = tmp_path / "out"
    with (
        pytest.raises(IncompleteError, match="out: was removed during the run"),
        lock.held(out, print) as held,
    ):
        held.check()
        (out / lock.NAME).unlink()
        out.rmdir()
        held.check()


def test_a_folder_into_which_nothing_was_written_is_not_left(tmp_path):
    with lock.held(tmp_path / "new" / "out", print):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_whose_part_is_held_is_refused(holder, tmp_path):
    with (
        pytest.raises(OutputError, match=r"out: in use by another job \(process \d+"),
        lock.held(tmp_path, print, lambda: [tmp_path / "out"]),
    ):
        pytest.fail("a part of the folder is held by another process")
    assert not (tmp_path / lock.NAME).exists()
    holder.kill()
    holder.wait()
    with lock.held(tmp_path, pytest.fail, lambda: [tmp_path / "out", tmp_path / "absent"]):
        assert not (tmp_path / "out" / lock.NAME).exists()


def test_a_holder_for_a_moment_is_waited_for(holder, tmp_path, monkeypatch):
    """Others that look at a lock take it for a moment, where a dead process has left it."""
    holder.kill()
    holder.wait()
    real, turns = lock._await, iter(range(3))

    def awaited(lease, folder, say):
        if (turn := next(turns)) < 2:
            raise OutputError(f"out: in use by another job (process {turn})")
        real(lease, folder, say)

    monkeypatch.setattr(lock, "_await", awaited)
    lock.require_idle(tmp_path / "out", pytest.fail)
    assert list((tmp_path / "out").iterdir()) == []


def test_what_another_process_writes_in_a_folder_below_is_left(holder, tmp_path):
    written = [tmp_path / "out" / "masks" / f"{TEMPORARY}a.tif", tmp_path / "old" / f"{TEMPORARY}b.tif"]
    for path in written:
        path.parent.mkdir()
        path.touch()
    with lock.held(tmp_path, print):
        assert [path.exists() for path in written] == [True, False]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file: cannot be written"), lock.held(tmp_path / "file", print):
        pytest.fail("a file is no folder")
