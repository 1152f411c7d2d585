"""The flag `surround`: one value around the field, which is no area in which beads can be."""

import csv

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from beadctl.model.session import DEFAULT_MODEL
from beadctl.segmentation.surround import is_surrounded


def field(height=90, width=120, seed=0):
    """Return a noisy field with three dark beads, and their labels."""
    image = np.random.default_rng(seed).normal(150, 4, (height, width))
    y, x = np.mgrid[:height, :width]
    labels = np.zeros((height, width), np.uint32)
    for number, (row, column) in enumerate(((30, 30), (30, 80), (65, 50)), 1):
        labels[np.hypot(y - row, x - column) < 7] = number
    image[labels > 0] -= 80
    return image.astype(np.uint8), labels


def framed(array, margins, value):
    return np.pad(array, margins, constant_values=value)


@given(
    margins=st.tuples(*[st.tuples(st.integers(0, 90), st.integers(0, 90))] * 2),
    value=st.sampled_from([0, 255, 240]),
)
def test_a_margin_of_more_than_a_tenth_is_a_surround_whatever_its_value_and_sides(margins, value):
    image, labels = field()
    page, marks = framed(image, margins, value), framed(labels, margins, 0)
    share = 1 - image.size / page.size
    touched = sum(margin > 0 for pair in margins for margin in pair)
    if share > 0.15 and touched > 1:
        assert is_surrounded(page, marks)
    if share < 0.1:
        assert not is_surrounded(page, marks)
    inside = framed(np.ones(image.shape, bool), margins, False)
    assert not is_surrounded(page, marks, inside)


def test_beads_on_black_and_few_grey_levels_are_no_surround():
    _, labels = field()
    assert not is_surrounded(np.where(labels > 0, 200, 0).astype(np.uint8), labels)
    one = np.where(labels == 1, 200, 0)[10:50, 10:50].astype(np.uint8)
    assert not is_surrounded(one, np.uint32(one > 0))
    # The left half is of one level alone, the right half of it and the next.
    few = np.zeros((90, 120), np.uint8)
    few[:, 60:] = np.random.default_rng(1).random((90, 60)) < 0.5
    assert not is_surrounded(few, labels)
    gap = np.full((90, 120), np.nan, np.float32)
    gap[20:70, 20:90] = 1
    assert not is_surrounded(gap, labels)


@pytest.mark.parametrize("missing", [np.nan, np.inf])
def test_a_gap_of_a_mosaic_is_no_field_and_hides_none(missing):
    image, labels = field()
    black = np.where(labels > 0, image, 0).astype(np.float32)
    for plane, expected in ((black, False), (framed(image.astype(np.float32), 60, 255), True)):
        marks = framed(labels, (plane.shape[0] - 90) // 2, 0)
        gap = np.pad(plane, ((0, 0), (80, 0)), constant_values=missing)
        assert is_surrounded(gap, np.pad(marks, ((0, 0), (80, 0))), np.isfinite(gap)) is expected
        # Also where more of the border is in the gap than in the one value.
        gap = plane.copy()
        gap[:3], gap[-3:] = missing, missing
        assert is_surrounded(gap, marks, np.isfinite(gap)) is expected
    assert not is_surrounded(np.pad(plane, 3, constant_values=missing), np.pad(marks, 3))


def test_every_nth_pixel_of_a_large_plane_tells():
    page = framed(np.random.default_rng(2).integers(90, 110, (3000, 4000), np.uint8), 400, 255)
    none = np.zeros(page.shape, np.uint32)
    assert is_surrounded(page, none)
    assert not is_surrounded(page[400:-400, 400:-400], none[400:-400, 400:-400])


@pytest.mark.skipif(not DEFAULT_MODEL.exists(), reason="the package has no default model")
def test_a_sure_count_of_a_field_on_white_is_flagged_unless_a_region_is_given(run, tmp_path):
    tifffile.imwrite(tmp_path / "page.tif", framed(field()[0], 60, 255))
    said = run("count", tmp_path / "page.tif", "--pixel-size", "0.5")
    (row,) = csv.DictReader(said.out.splitlines())
    assert (row["count"], row["quality"], row["field_area_px"]) == ("3", "surround", str(210 * 240))
    assert "densities are too low; crop the image, or give a --region" in said.err
    said = run("count", tmp_path / "page.tif", "--pixel-size", "0.5", "--region", "60,60,120,90")
    (row,) = csv.DictReader(said.out.splitlines())
    assert (row["count"], row["quality"], row["field_area_px"]) == ("3", "", str(90 * 120))
