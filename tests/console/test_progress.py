"""Progress in a log: a line at the start, now and then, and at the end."""

import itertools

import pytest

from beadctl.console import Messages, messages


@pytest.fixture
def clock(monkeypatch):
    """Let ten seconds pass at every look at the clock."""
    seconds = itertools.count(0, 10)
    monkeypatch.setattr(messages.time, "monotonic", lambda: next(seconds))


def test_a_log_has_a_line_at_the_start_every_half_minute_and_at_the_end(clock, capsys):
    with Messages(0).progress(8, "segmenting") as advance:
        for step in range(8):
            advance(failed=step == 1)
    assert capsys.readouterr().err.splitlines() == [
        "segmenting: 8 in all",
        "segmenting: 3 of 8 done, 1 failed, 0.1 a second, 0:00:50 left",
        "segmenting: 6 of 8 done, 1 failed, 0.1 a second, 0:00:20 left",
        "segmenting: 8 of 8 done, 1 failed in 0:01:30",
    ]


def test_what_an_earlier_run_has_done_is_told_apart(capsys):
    with Messages(0).progress(3, "segmenting") as advance:
        for step in range(3):
            advance(failed=step == 0, earlier=step > 0)
    assert "segmenting: 3 of 3 done (2 by an earlier run), 1 failed in" in capsys.readouterr().err


def test_quiet_says_nothing(capsys):
    with Messages(-1).progress(2, "segmenting") as advance:
        advance("a callback's argument")
        advance()
    assert capsys.readouterr().err == ""


def test_an_interrupted_block_has_no_last_line(capsys):
    with pytest.raises(KeyboardInterrupt), Messages(0).progress(2, "segmenting"):
        raise KeyboardInterrupt
    assert capsys.readouterr().err == "segmenting: 2 in all\n"
