"""Values and names of files as text."""

import math
import os
import re
import subprocess
import sys
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beadctl.text import FORMULA, cell, name_text

ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4}))")
ODD = "\\xu5c=+-@\n\r\x0b\x1c\x85\x9b\u2028\u2029\ud800\udcb5"


@given(st.text(st.sampled_from(ODD) | st.characters(blacklist_characters="/\0"), min_size=1))
def test_a_name_is_one_line_and_no_formula_and_can_be_turned_back(name):
    path = PurePosixPath(name)
    text = name_text(path)
    assert len(f"{text}|".splitlines()) == 1
    assert not text.startswith(FORMULA)

    def character(found):
        byte, code = found.groups()
        return chr(int(code, 16)) if code else os.fsdecode(bytes([int(byte, 16)]))

    assert ESCAPE.sub(character, text) == str(path)


@pytest.mark.skipif(sys.platform == "win32", reason="names of files are text on Windows")
@pytest.mark.parametrize("utf8", ["0", "1"])
def test_a_name_is_the_same_in_every_locale(utf8):
    code = (
        "import os, pathlib, beadctl.text as t;"
        "print(ascii(t.name_text(pathlib.PurePosixPath(os.fsdecode(b'\\xc3\\xa9\\xff.tif')))))"
    )
    # Python takes the locale C for UTF-8 unless it is told not to.
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": utf8, "PYTHONCOERCECLOCALE": "0"}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert said.stdout.strip() == ascii("\u00e9\\xff.tif"), said.stderr


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (math.nan, ""), (0, "0"), (True, "true"), (1234567.0, "1.23457e+06"), (0.1, "0.1")],
)
def test_a_cell_is_short_text(value, text):
    assert cell(value) == text
