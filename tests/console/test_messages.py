"""Messages and progress bars on standard error, and the format of durations."""

import pytest

from beadctl.console import Messages, duration


def test_verbosity_filters_messages_and_keeps_warnings(capsys):
    for quiet, verbose, wanted in (
        (True, False, ""),
        (False, False, "info\n"),
        (False, True, "info\ndetail\n"),
    ):
        messages = Messages.of(quiet=quiet, verbose=verbose)
        messages.info("info")
        messages.detail("detail")
        messages.notes([(True, "doubtful")])
        captured = capsys.readouterr()
        assert captured.err == f"{wanted}warning: doubtful\n"
        assert captured.out == ""


def test_a_log_of_a_short_run_has_two_lines_and_no_bar(capsys):
    with Messages().progress(2, "counting") as advance:
        advance()
        advance("an argument of a callback")
    assert capsys.readouterr() == ("", "counting: 2 in all\ncounting: 2 of 2 done in 0:00:00\n")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00:00"), (59.9, "0:00:59"), (3600, "1:00:00"), (90061.5, "25:01:01")]
)
def test_durations_are_hours_minutes_and_seconds(seconds, text):
    assert duration(seconds) == text
