"""Errors are one line, whatever they quote from a file."""

from hypothesis import given
from hypothesis import strategies as st

from beadctl.errors import BeadctlError


@given(st.text())
def test_a_message_is_one_line_of_printable_text(text):
    line = str(BeadctlError(text))
    assert len(line.splitlines()) <= 1
    line.encode()


def test_plain_words_stay_as_they_are():
    assert str(BeadctlError("größe 4 µm: wrong; give 5")) == "größe 4 µm: wrong; give 5"
