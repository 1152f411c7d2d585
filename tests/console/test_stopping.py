"""Signals: the first ends work in good order, a second Ctrl-C at once, and none gets lost."""

import os
import signal
import subprocess
import sys
import time

import pytest

from beadctl.console import stopping
from beadctl.errors import Interrupted

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")

# Two seconds, and what a machine with other work may take longer.
PROMPT_S = 6
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGUSR1: 143}
# The work of a command: BODY runs where `beadctl info` would, and a signal comes while it rests.
WORK = """
import signal, sys, time, threading
from beadctl import lock
from beadctl.cli import main
from beadctl.console import Messages, stopping
from beadctl.files import atomic
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)

def rest():
    print("ready", flush=True)
    time.sleep(30)

def run():
    BODY

main.application = lambda _: lambda **__: run()
sys.argv = ["beadctl", "info"]
main.main()
"""


def start(body):
    process = subprocess.Popen(
        [sys.executable, "-c", WORK.replace("BODY", body.replace("\n", "\n    "))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.2)
    return process


def end(process, *numbers):
    """Send signals; return the exit code, standard output and error, and the seconds to the end."""
    began = time.monotonic()
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.1)
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err, time.monotonic() - began


@pytest.mark.parametrize("number", CODES)
def test_a_signal_is_one_line_and_says_how_far_the_work_was(number):
    body = """
with Messages().progress(3, "scoring") as advance:
    advance()
    rest()"""
    code, _, err, _ = end(start(body), number)
    word = "interrupted" if number == signal.SIGINT else "terminated"
    assert code == CODES[number]
    assert err.splitlines()[1:] == [
        f"error: {word} (scoring: 1 of 3 done); finished work is kept, run the same command again to go on"
    ]


@pytest.mark.parametrize(
    "body",
    [
        # A library that loses the exception, and one step that no exception reaches.
        "try:\n    rest()\nexcept BaseException:\n    pass\ntime.sleep(30)",
        "for _ in range(2):\n    try:\n        rest()\n    except BaseException:\n        pass",
        "try:\n    rest()\nfinally:\n    time.sleep(30)",
    ],
)
def test_a_signal_that_is_lost_ends_the_process_all_the_same(body):
    code, _, err, seconds = end(start(body), signal.SIGTERM)
    assert (code, err.count("error: terminated")) == (143, 1)
    assert seconds < PROMPT_S


def test_another_error_after_a_signal_is_no_traceback():
    code, _, err, _ = end(
        start("try:\n    rest()\nexcept BaseException:\n    raise ImportError"), signal.SIGTERM
    )
    assert code == 143
    assert "Traceback" not in err


def test_long_work_asks_whether_a_signal_came():
    body = """
try:
    rest()
except BaseException:
    pass
try:
    stopping.check()
except BaseException:
    print("asked", flush=True)
    raise"""
    code, out, _, _ = end(start(body), signal.SIGTERM)
    assert (code, out) == (143, "asked\n")


def test_a_signal_that_is_held_ends_the_work_where_it_asks():
    body = """
with stopping.held():
    print("ready", flush=True)
    before = time.monotonic()
    while time.monotonic() < before + 1:
        pass
    print("held", flush=True)
    stopping.check()
    print("not reached", flush=True)"""
    code, out, _, _ = end(start(body), signal.SIGTERM)
    assert (code, out) == (143, "held\n")


FLUSH = """
try:
    rest()
finally:
    with stopping.finishing():
        time.sleep(4)
        print("written", flush=True)"""


def test_what_is_finished_is_written_whatever_the_scheduler_sends_again():
    code, out, err, _ = end(start(FLUSH), signal.SIGUSR1, signal.SIGTERM, signal.SIGTERM)
    assert (code, out) == (143, "written\n")
    assert err.count("error: ") == 1


def test_a_second_interrupt_leaves_at_once_and_leaves_no_half_file_and_no_lock(tmp_path):
    held = f"lock.held(Path({str(tmp_path)!r}), print)"
    body = f"with {held}, atomic(Path({str(tmp_path / 'x.txt')!r})):" + FLUSH.replace("\n", "\n    ")
    process = start(body)
    assert len(list(tmp_path.iterdir())) == 2
    code, out, _, _ = end(process, signal.SIGINT, signal.SIGINT)
    assert (code, out) == (130, "")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_has_stopped_does_not_keep_a_process_from_ending():
    """The end of a pipe that nobody reads; the last words wait for it too."""
    body = """
import os
print("ready", flush=True)
os.write(2, bytes(10**7))"""
    process = start(body)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 143


def test_an_ignored_signal_stays_ignored():
    process = subprocess.Popen(
        [sys.executable, "-m", "beadctl", "info"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),  # noqa: PLW1509
    )
    for _ in range(10):
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_signal_in_a_callback_of_the_interpreter_is_not_reported(capsys):
    class Callback:
        def __del__(self):
            raise Interrupted(signal.SIGTERM)

    before = sys.unraisablehook
    with stopping.listening():
        # Nothing holds it, so it ends at once.
        Callback()
    assert sys.unraisablehook is before
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("step", range(8))
def test_a_signal_while_modules_are_imported_is_no_traceback(step, tmp_path, bead_folder):
    number = list(CODES)[step % 3]
    code = "import beadctl.__main__ as m, sys; sys.argv[0] = 'beadctl'; print(flush=True); m.main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "count", str(bead_folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )
    process.stdout.readline()
    time.sleep(0.02 + 0.12 * step)
    ended, _, err, seconds = end(process, number)
    assert ended == CODES[number]
    assert "Traceback" not in err
    assert "Exception ignored" not in err
    assert seconds < PROMPT_S


def test_waiting_ends_with_a_signal(monkeypatch):
    began = time.monotonic()
    stopping.wait(0.15)
    assert time.monotonic() - began >= 0.15
    monkeypatch.setattr(stopping, "_listening", [stopping.StopRequest(signal.SIGTERM)])
    with pytest.raises(Interrupted):
        stopping.wait(60)
