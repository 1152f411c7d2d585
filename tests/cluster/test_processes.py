"""Processes of this computer: what becomes of their tasks, and of themselves."""

import os
import sys
import time
import warnings
from concurrent.futures import wait

import pytest
from helpers.children import children
from helpers.orders import Played

from beadctl.cluster.place import Local
from beadctl.cluster.processes import Processes
from beadctl.cluster.start import workers_for
from beadctl.console import Messages
from beadctl.errors import ClusterError, FileNote, ImageError, ModelError

psutil = pytest.importorskip("psutil")
needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")


@pytest.fixture
def two():
    processes = Processes(Local(2), Played())
    yield processes
    processes.give_up()


def test_all_tasks_are_done_by_all_processes(two):
    assert (two.places, two.facts) == (2, {"processes": 2, "threads": 3, "number": [0, 1]})
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
