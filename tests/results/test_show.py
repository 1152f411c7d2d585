"""Overlays in the terminal: of an image, of a finished run, through a pipe."""

import dataclasses
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import tifffile
from helpers.images import discs
from helpers.ome import write_ome_set
from helpers.terminal import kitty_pixels, pixels, words
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from beadctl.cli import main
from beadctl.console.screen import Means, Screen
from beadctl.results import ledger, show
from beadctl.results.formats.overlays import GREYS, OUTLINES, PALETTE


def is_coloured(picture):
    """Return where a picture is an outline rather than grey."""
    return np.ptp(picture, axis=-1) > 40


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 40), st.integers(1, 40))
def test_a_picture_is_no_larger_than_asked_and_keeps_its_shape(height, width, most_width, most_height):
    small = show.reduced(np.zeros((height, width), np.uint8), (most_width, most_height))
    factor = max(width / most_width, height / most_height, 1)
    assert small.shape[1] <= most_width or factor == 1
    assert small.shape[0] <= most_height or factor == 1
    for got, size in zip(small.shape, (height, width), strict=False):
        assert abs(got - max(1, size / factor)) <= 0.5


def test_grey_is_the_mean_of_the_pixels():
    picture = np.random.default_rng(3).integers(0, GREYS, (60, 80), np.uint8)
    means = PALETTE[picture].reshape(12, 5, 16, 5, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(show.reduced(picture, (16, 12)), means, atol=0.51)


def test_an_outline_stays_as_bright_as_it_was():
    picture = np.full((200, 300), 100, np.uint8)
    picture[:, 150] = GREYS + 2
    small = show.reduced(picture, (30, 40))
    line, *others = np.flatnonzero(is_coloured(small[5]))
    assert (line, others) == (15, [])
    assert tuple(small[5, line]) == OUTLINES[2]


@pytest.fixture
def image(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", discs(7)[0])
    return tmp_path / "a.tif"


@pytest.fixture
def shown(run, model_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "30")
    return lambda *arguments: run("show", *arguments, "-m", model_path)


def test_an_image_is_shown_with_its_count_and_nothing_is_written(shown, image, tmp_path):
    said = shown(image)
    assert said.code == 0
    picture = pixels(said.out)
    # 96 x 128 px in 26 lines of two pixels each.
    assert picture.shape == (52, 69, 3)
    line, legend = words(said.out)
    assert re.fullmatch(r"a\.tif: 7 beads, mean diameter \d+\.\d+ px", line)
    assert legend.startswith("■")
    assert "7 beads" in legend
    assert "standard output is no terminal" in said.err
    # Each bead has an outline where it is.
    labels, factor = discs(7)[1], 96 / 52
    for label in range(1, 8):
        y, x = (np.argwhere(labels == label).mean(0) / factor).astype(int)
        assert is_coloured(picture[max(0, y - 4) : y + 5, max(0, x - 4) : x + 5]).any()
    assert is_coloured(picture).mean() < 0.3
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, model_path):
    """A folder with images and the results of a run over them, which the tests share."""
    here = tmp_path_factory.mktemp("finished")
    (here / "images/day1").mkdir(parents=True)
    for name, count in (("a", 3), ("b", 5), ("day1/c", 7), ("day1/d", 2)):
        tifffile.imwrite(here / f"images/{name}.tif", discs(count)[0])
    (here / "images/words.tif").write_text("Dear microscope,")
    stack = np.stack([discs(count, 64, 128)[0] for count in (2, 0, 5)])
    tifffile.imwrite(here / "images/stack.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    words = ("segment", here / "images", "-m", model_path, "-o", here / "out", "-q")
    assert main.run([str(word) for word in words]) == 1
    return here


@pytest.fixture
def results(finished):
    return finished / "out"


@pytest.fixture
def changed(finished, tmp_path):
    """A copy of the results, to be changed."""
    return Path(shutil.copytree(finished / "out", tmp_path / "out"))


def heads(said):
    return [line.split(":")[0] for line in words(said.out) if "bead" in line and ": " in line]


def test_a_run_is_shown_by_its_overlays(shown, results, model_path, monkeypatch):
    monkeypatch.setattr("beadctl.model.session.open_model", pytest.fail)
    said = shown(results)
    assert said.code == 0
    assert len(heads(said)) == show.MOST
    assert "planes left out: 4" in said.err
    assert heads(shown(results, "day1/*")) == ["day1/c.tif", "day1/d.tif"]
    said = shown(results, "b.tif")
    assert heads(said) == ["b.tif"]
    whole = np.asarray(Image.open(results / "overlays/b_overlay.png"))[:96]
    np.testing.assert_array_equal(pixels(said.out), show.reduced(whole, (80, 52)))
    assert heads(shown(results, "stack.tif")) == ["stack.tif Z=0", "stack.tif Z=1", "stack.tif Z=2"]


def test_a_plane_that_cannot_be_read_hides_no_other(shown, run, model_path, tmp_path):
    (tmp_path / "set").mkdir()
    write_ome_set(tmp_path / "set", np.stack([discs(count)[0] for count in (1, 2, 3)]))
    (tmp_path / "set/t1.ome.tif").unlink()
    said = shown("set/t0.ome.tif")
    assert (said.code, heads(said)) == (1, ["t0.ome.tif T=0"])
    fault = "t0.ome.tif, plane 1: its set lacks 1 file (t1.ome.tif)"
    assert f"error: set/{fault}" in said.err
    # A run writes no overlay of such a file, and those of the others are shown.
    assert run("segment", "set", "-m", model_path, "-o", "out").code == 1
    for names, others in (((), ["t2.ome.tif T=2"]), (("t0*",), [])):
        said = shown("out", *names)
        assert (said.code, heads(said)) == (1, others)
        assert f"error: {fault}" in said.err


def test_planes_with_a_flag_come_first(shown, changed):
    name = PurePosixPath("day1/d.tif")
    entry = ledger.read(changed, name)
    (row,) = entry.result.rows
    flagged = ledger.ImageResult((dataclasses.replace(row, quality="doubtful dense"),))
    lines = list(ledger.bead_lines(changed, name))
    ledger.save(changed, name, dataclasses.replace(entry, result=flagged), lines)
    said = shown(changed)
    assert heads(said) == ["day1/d.tif", "a.tif", "b.tif"]
    assert words(said.out)[0].endswith("; to check: doubtful, dense")


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        (("out", "e.tif"), 3, "holds no image e.tif"),
        (("images",), 3, "holds no results of beadctl"),
        (("absent.tif",), 1, "no such file"),
        (("images/words.tif",), 1, "words.tif"),
        (("images/a.tif", "a.tif"), 2, "leave them out"),
        (("out/overlays/a_overlay.png",), 1, "is itself a result"),
        (("images/a.tif", "--threshold", "1"), 2, "--threshold 1.0 (instances.threshold)"),
    ],
)
def test_what_cannot_be_shown_is_one_line(shown, finished, monkeypatch, words, code, problem):
    monkeypatch.chdir(finished)
    said = shown(*words)
    assert said.code == code
    assert problem in said.error
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_an_overlay_that_is_not_as_the_run_wrote_it_is_refused(shown, run, model_path, finished, changed):
    (changed / "overlays/a_overlay.png").write_bytes(b"mine")
    assert "is not as the run wrote it" in shown(changed, "a.tif").error
    run("segment", finished / "images/b.tif", "-m", model_path, "-o", "masks", "--save", "masks")
    assert "has no overlay of b.tif" in shown("masks").error


def test_without_colours_the_words_are_left(shown, image, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    said = shown(image)
    assert said.code == 0
    assert "\x1b" not in said.out
    assert said.out.splitlines()[0].startswith("a.tif: 7 beads")
    assert "pictures are left out: NO_COLOR is set" in said.err


def test_a_terminal_that_can_gets_the_whole_overlay(shown, results, monkeypatch):
    screen = Screen(Means.KITTY, 80, 30, (8, 16))
    monkeypatch.setattr(Screen, "here", lambda: screen)
    out = shown(results, "b.tif").out
    message, rest = out.rsplit("\x1b\\", 1)
    picture = kitty_pixels(f"{message}\x1b\\")
    overlay = np.asarray(Image.open(results / "overlays/b_overlay.png").convert("RGB"))
    np.testing.assert_array_equal(picture, overlay)
    assert "b.tif: 5 beads" in rest


def test_the_overlay_is_opened_with_the_viewer_of_the_system(shown, results, image, monkeypatch):
    opened = []
    monkeypatch.setattr("typer.launch", lambda url: opened.append(Path(url)) or 0)
    assert shown(results, "b.tif", "--open").code == 0
    assert opened == [results / "overlays/b_overlay.png"]
    # That of an image is written first.
    assert shown(image, "--open").code == 0
    written = opened[1]
    assert written.name == "a_overlay.png"
    assert np.asarray(Image.open(written)).shape[1] == 128
    shutil.rmtree(written.parent)
    monkeypatch.setattr("typer.launch", lambda url: 1)
    said = shown(results, "b.tif", "--open")
    assert (said.code, said.error.endswith("open it by hand")) == (3, True)


def test_without_a_place_for_temporary_files_no_overlay_is_opened(shown, image, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    said = shown(image, "--open")
    assert said.code == 3
    assert "gone: cannot be written (" in said.error
    assert said.error.endswith("; set TMPDIR")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_a_real_terminal_shows_the_pixels(results, tmp_path):
    """Those that tmux keeps of its window are those of the overlay."""
    command = f"'{sys.executable}' -m beadctl show '{results}' b.tif; echo done-$?"
    tmux = ["tmux", "-L", f"beadctl-{os.getpid()}", "-f", "/dev/null"]
    size = ("-x", "90", "-y", "40")
    environment = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    environment.pop("TMUX", None)
    subprocess.run([*tmux, "new-session", "-d", *size, "sh", "-c", f"{command}; sleep 60"], env=environment)
    try:
        text, began = "", time.monotonic()
        while "done-0" not in text:
            assert time.monotonic() - began < 60, text
            time.sleep(0.1)
            text = subprocess.run(
                [*tmux, "capture-pane", "-e", "-p"], capture_output=True, text=True, check=True
            ).stdout
    finally:
        subprocess.run([*tmux, "kill-server"])
    whole = np.asarray(Image.open(results / "overlays/b_overlay.png"))[:96]
    np.testing.assert_array_equal(pixels(text), show.reduced(whole, (90, 72)))
    assert "b.tif: 5 beads" in " ".join(words(text))
