"""``quality`` in counts.csv, and the warnings that go with it."""

import csv

import numpy as np
import pytest
import tifffile
from helpers.images import discs

from beadctl.segmentation import quality


@pytest.fixture
def images(tmp_path):
    for name, count in (("few.tif", 2), ("many.tif", 9)):
        tifffile.imwrite(tmp_path / name, discs(count, 96, 128)[0])
    return [tmp_path / "few.tif", tmp_path / "many.tif"]


def test_sure_counts_have_no_flag_and_no_warning(run, images, model_path):
    result = run("count", *images, "-m", model_path, "--format", "csv")
    rows = list(csv.DictReader(result.out.splitlines()))
    assert [row["quality"] for row in rows] == ["", ""]
    assert all(0 <= float(row["doubt"]) < quality.LIMITS.doubt for row in rows)
    assert "warning" not in result.err


def test_each_flagged_count_is_a_warning_and_their_number_the_last(
    run, images, model_path, monkeypatch, tmp_path
):
    monkeypatch.setattr(quality, "LIMITS", quality.QualityLimits(doubt=0.0))
    result = run("segment", *images, "-m", model_path, "-o", tmp_path / "out", "-q")
    warnings = [line for line in result.err.splitlines() if line.startswith("warning")]
    assert warnings[0].startswith("warning: few.tif: count 2 is doubtful: ")
    assert warnings[1].startswith("warning: many.tif: count 9 is doubtful: ")
    assert warnings[2:] == ["warning: 2 of 2 counts have a quality flag; look at the overlays before use"]
    with (tmp_path / "out" / "counts.csv").open(newline="") as file:
        assert [row["quality"] for row in csv.DictReader(file)] == ["doubtful", "doubtful"]
    # A rerun repeats what the ledger keeps.
    again = run("segment", *images, "-m", model_path, "-o", tmp_path / "out", "-q")
    assert [line for line in again.err.splitlines() if line.startswith("warning")] == warnings


def test_a_stack_names_the_plane(run, model_path, monkeypatch, tmp_path):
    monkeypatch.setattr(quality, "LIMITS", quality.QualityLimits(doubt=0.0))
    plane = discs(3, 96, 128)[0]
    tifffile.imwrite(tmp_path / "stack.tif", np.stack([plane, plane]), imagej=True, metadata={"axes": "ZYX"})
    result = run("count", tmp_path / "stack.tif", "-m", model_path)
    assert "warning: stack.tif, plane 1: count 3 is doubtful: " in result.err
