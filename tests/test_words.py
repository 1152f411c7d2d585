"""Words for numbers of things, and that messages use them."""

import re
from pathlib import Path

import pytest

import beadctl
from beadctl.words import form, number_of


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 planes"), (1, "1 plane"), (2, "2 planes"), (21, "21 planes")]
)
def test_one_thing_has_another_word_than_several(number, words):
    assert number_of(number, "plane") == words
    assert form(number, "is", "are") == ("is" if number == 1 else "are")


def test_no_message_leaves_the_plural_to_its_reader():
    """A word such as ``plane(s)``."""
    for path in Path(beadctl.__file__).parent.rglob("*.py"):
        assert not re.search(r"[}\w] [a-z]+\(s\)", path.read_text(encoding="utf-8")), path
