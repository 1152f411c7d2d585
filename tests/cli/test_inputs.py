"""Which files `count` and `segment` use: companions, patterns, lists, other formats."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers.images import discs


@pytest.fixture
def folder(tmp_path):
    for name in ("a.tif", "a_masks.tif", "day1/b.tif"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, discs(3)[0])
    (tmp_path / "in/c.oir").write_bytes(b"OLYMPUSRAWFORMAT" + bytes(100))
    return tmp_path / "in"


def counted(said):
    assert said.code == 0, said.err
    return [row["image"] for row in csv.DictReader(io.StringIO(said.out))]


def test_count_says_what_it_leaves_out(run, model_path, folder):
    said = run("count", "in", "-m", model_path, "-q")
    assert counted(said) == ["a.tif", "day1/b.tif"]
    assert said.err.count("left out: masks or overlays of these images, 1 file (a_masks.tif)") == 1
    assert said.err.count("not read: 1 .oir; export them as OME-TIFF") == 1


def test_patterns_may_be_repeated_or_separated_by_commas(run, model_path, folder):
    tifffile.imwrite(folder / "d.tif", np.zeros((64, 64), np.uint8))
    for flags in (["--exclude", "d*", "--exclude", "day1"], ["--exclude", "d*,day1"]):
        assert counted(run("count", "in", "-m", model_path, *flags)) == ["a.tif"]
    assert counted(run("count", "in", "-m", model_path, "--no-recursive", "--include", "d*")) == ["d.tif"]
    Path("beadctl.toml").write_text('[data]\ninclude = ["day1/*"]\n')
    assert counted(run("count", "in", "-m", model_path)) == ["day1/b.tif"]


def test_lists_come_from_a_file_or_standard_input(run, model_path, folder, monkeypatch):
    Path("list.txt").write_text("in/day1/b.tif\nin/a.tif\n")
    assert counted(run("count", "@list.txt", "-m", model_path)) == ["in/day1/b.tif", "in/a.tif"]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"in/a.tif\0")))
    assert run("segment", "-", "-m", model_path, "-o", "out").code == 0
    assert Path("out/masks/in/a_masks.tif").exists()
