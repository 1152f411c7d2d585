"""``quality`` in counts.csv, and the warnings that go with it."""

import csv
import re

import numpy as np
import pytest
import tifffile
from helpers.images import discs

from beadctl.results import flag_warnings
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


def test_a_stack_names_the_plane(run, model_path, tmp_path):
    beads = discs(3, 96, 128)[0]
    stack(tmp_path, np.zeros_like(beads), beads)
    result = run("count", tmp_path / "stack.tif", "-m", model_path, "--diameter", 40)
    assert re.search(
        "^warning: stack.tif, plane 1: count .* another size than --diameter", result.err, re.MULTILINE
    )


def test_the_planes_of_a_stack_share_a_warning(run, model_path, monkeypatch, tmp_path):
    monkeypatch.setattr(quality, "LIMITS", quality.QualityLimits(doubt=0.0))
    stack(tmp_path, *[discs(3, 96, 128)[0]] * 5)
    result = run("count", tmp_path / "stack.tif", "-m", model_path, "-q")
    first, last = [line for line in result.err.splitlines() if line.startswith("warning")]
    assert first.startswith(
        "warning: stack.tif: 5 of 5 planes have a quality flag (planes 0, 1, 2 ...): doubtful 5; "
    )
    assert "each doubtful one is off by more than a fifth with a probability of " in first
    assert last == "warning: 5 of 5 counts have a quality flag; look at the overlays before use"


def test_a_folder_of_flagged_images_names_the_first_and_where_the_others_are(
    run, model_path, monkeypatch, tmp_path
):
    monkeypatch.setattr(quality, "LIMITS", quality.QualityLimits(doubt=0.0))
    for number in range(flag_warnings.IMAGES + 3):
        tifffile.imwrite(tmp_path / f"{number:02}.tif", discs(2, 48, 64)[0])
    result = run("segment", tmp_path, "-m", model_path, "-o", tmp_path / "out", "-q")
    *named, more, last = [line for line in result.err.splitlines() if line.startswith("warning")]
    assert [line.split(": ")[1] for line in named] == [f"{number:02}.tif" for number in range(20)]
    assert more.startswith("warning: more than 20 images have a quality flag; ")
    assert more.endswith(f"see the column `quality` of {tmp_path / 'out' / 'counts.csv'}")
    assert last.startswith("warning: 23 of 23 counts have a quality flag")


def stack(folder, *planes):
    """Write a Z stack of some planes."""
    tifffile.imwrite(folder / "stack.tif", np.stack(planes), imagej=True, metadata={"axes": "ZYX"})
