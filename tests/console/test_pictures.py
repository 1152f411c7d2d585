"""Pictures on a terminal: what it is asked, and the pixels that it shows."""

import io
import os
import sys
import threading
import time

import numpy as np
import pytest
from helpers.terminal import kitty_pixels, pixels, sixel_pixels
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from beadctl.console import pictures, screen
from beadctl.console.screen import QUESTION, Means, Screen, means_of

NEEDS_TTY = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
# So few colours that none of them is changed.
FEW = np.array([(0, 0, 0), (255, 255, 255), (255, 64, 64), (64, 220, 64), (80, 140, 255), (120, 7, 31)])
SHAPES = st.tuples(st.integers(1, 20), st.integers(1, 25))
PICTURES = arrays(np.uint8, SHAPES, elements=st.integers(0, 5)).map(lambda rows: FEW[rows].astype(np.uint8))


@given(PICTURES)
def test_half_blocks_have_the_pixels_of_a_picture(picture):
    file = io.StringIO()
    pictures.print_blocks(picture, file)
    shown = pixels(file.getvalue())
    assert shown.shape[0] == len(picture) + len(picture) % 2
    np.testing.assert_array_equal(shown[: len(picture)], picture)
    # The last half of a picture of an odd height stays as the terminal is.
    assert (shown[len(picture) :] == -1).all()


@given(PICTURES)
def test_kitty_gets_the_pixels_of_a_picture(picture):
    np.testing.assert_array_equal(kitty_pixels(pictures.kitty(picture)), picture)


def test_a_large_picture_is_sent_to_kitty_in_parts():
    picture = np.random.default_rng(1).integers(0, 256, (80, 90, 3), np.uint8)
    text = pictures.kitty(picture)
    assert text.count("\x1b_G") > 2
    np.testing.assert_array_equal(kitty_pixels(text), picture)


@given(PICTURES)
def test_sixel_has_the_pixels_of_a_picture(picture):
    shown = sixel_pixels(pictures.sixel(picture))
    assert shown.shape == picture.shape
    # Sixel has colours in per cent.
    assert np.abs(shown - picture).max() <= 2


@pytest.mark.parametrize(
    ("answer", "means"),
    [
        (b"\x1b_Gi=1;OK\x1b\\\x1b[?62;c", Means.KITTY),
        (b"\x1b_Gi=1;ENOTSUPPORTED:no\x1b\\\x1b[?62;4;22c", Means.SIXEL),
        (b"\x1b[?1;2;4c", Means.SIXEL),
        (b"\x1b[?4;1c", Means.BLOCKS),
        (b"\x1b[?62;14;42c", Means.BLOCKS),
        (b"", Means.BLOCKS),
    ],
)
def test_the_best_means_that_a_terminal_names_is_taken(answer, means):
    assert means_of(answer) is means


@pytest.fixture
def terminal():
    """A terminal that answers with what is set; its other end."""
    main, other = os.openpty()
    yield main, other
    os.close(main)
    os.close(other)


def answering(main, answer):
    def run():
        asked = b""
        while not asked.endswith(QUESTION):
            asked += os.read(main, 100)
        for part in answer:
            os.write(main, part)
            time.sleep(0.01)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@NEEDS_TTY
def test_a_terminal_is_asked_and_left_as_it_was(terminal):
    import termios

    main, other = terminal
    before = termios.tcgetattr(other)
    thread = answering(main, [b"\x1b_Gi=1;O", b"K\x1b\\", b"\x1b[?62", b";c"])
    answer = screen.asked(other, 60)
    thread.join()
    assert answer == b"\x1b_Gi=1;OK\x1b\\\x1b[?62;c"
    assert termios.tcgetattr(other) == before


@NEEDS_TTY
def test_a_terminal_that_does_not_answer_is_not_waited_for(terminal):
    assert screen.asked(terminal[1], 0.05) == b""


@NEEDS_TTY
def test_a_terminal_that_is_closed_while_it_is_asked_has_no_answer():
    main, other = os.openpty()
    thread = threading.Thread(target=lambda: (os.read(main, 100), os.close(main)))
    thread.start()
    try:
        assert screen.asked(other, 60) == b""
    finally:
        thread.join()
        os.close(other)


@NEEDS_TTY
def test_the_size_of_a_character_is_that_of_the_terminal(terminal):
    import fcntl
    import struct
    import termios

    assert screen.cell_px(terminal[1]) == screen.CELL_PX
    fcntl.ioctl(terminal[1], termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 900, 540))
    assert screen.cell_px(terminal[1]) == (9, 18)


def test_without_a_terminal_there_are_half_blocks_in_the_asked_width(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "72")
    monkeypatch.setenv("LINES", "40")
    here = Screen.here()
    assert (here.means, here.is_terminal) == (Means.BLOCKS, False)
    assert here.most_px == (72, 2 * 36)
    assert Screen(Means.SIXEL, 80, 24, (10, 20)).most_px == (800, 400)


def test_a_dumb_terminal_is_not_asked(monkeypatch):
    monkeypatch.setattr(screen, "is_terminal", lambda: True)
    monkeypatch.setattr(screen, "_terminal", pytest.fail)
    for name in ("dumb", "linux", ""):
        monkeypatch.setenv("TERM", name)
        assert Screen.here().means is Means.BLOCKS


def test_why_there_is_no_picture(monkeypatch, capsys):
    blocks, kitty = Screen(Means.BLOCKS, 80, 24), Screen(Means.KITTY, 80, 24)
    assert pictures.why_not(blocks) == ""
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="latin-1"))
    assert "latin-1" in pictures.why_not(blocks)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "NO_COLOR" in pictures.why_not(blocks)
    assert pictures.why_not(kitty) == ""


def test_a_legend_has_a_square_of_each_colour(capsys):
    legend = [([(255, 200, 0)], "3 low-confidence"), ([(64, 220, 64), (80, 140, 255)], "9 others")]
    pictures.print_legend(legend, in_colour=True)
    out = capsys.readouterr().out
    assert out.count("■") == 3
    assert out.index("38;2;255;200;0") < out.index("3 low-confidence") < out.index("38;2;64;220;64")
    pictures.print_legend(legend, in_colour=False)
    assert capsys.readouterr().out.split() == ["3", "low-confidence", "9", "others"]
