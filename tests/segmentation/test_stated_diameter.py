"""A stated diameter: what is far smaller is no bead, and beads of about that size need less confidence."""

import csv

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from beadctl.images import InMemory
from beadctl.model.session import DEFAULT_MODEL, Maps, Model
from beadctl.segmentation.filters import Filters
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.plane import label_plane, segment_plane
from beadctl.segmentation.prediction import PredictedPlane, find_beads
from beadctl.segmentation.sizes import Area, Diameter

SIDE = 400
MIDDLES = [(70 + 130 * row, 70 + 130 * column) for row in range(3) for column in range(3)]


def maps(circles, height=1.0):
    """Return the maps of discs, by row and column of the middle and diameter; markers have a height."""
    y, x = np.mgrid[:SIDE, :SIDE]
    marker = np.zeros((SIDE, SIDE))
    for row, column, diameter in circles:
        marker = np.maximum(marker, 1 - np.hypot(y - row, x - column) / (diameter / 2))
    return Maps(
        np.where(marker > 0, 250, 0).astype(np.uint8), np.rint(255 * height * marker).astype(np.uint8)
    )


def numbers(diameter_px=None, **more):
    diameter = Diameter(diameter_px, "px") if diameter_px else None
    return SegmentOptions(0.5, 0.1, 4, diameter=diameter, **more)


@settings(max_examples=25, deadline=None)
@given(
    ratios=st.lists(st.floats(0.5, 2.0), min_size=8, max_size=8),
    diameter=st.floats(15, 45),
    error=st.floats(0.7, 1.4),
)
def test_beads_within_a_factor_of_two_are_kept_where_the_diameter_is_stated_40_percent_wrong(
    ratios, diameter, error
):
    """The first bead is a typical one."""
    sizes = [diameter * ratio for ratio in (1.0, *ratios)]
    seen = maps([(row, column, size) for (row, column), size in zip(MIDDLES, sizes, strict=True)])
    plain = find_beads(seen, numbers()).labels
    stated = find_beads(seen, numbers(error * diameter)).labels
    assert plain.max() == 9
    np.testing.assert_array_equal(stated, plain)


@settings(max_examples=25, deadline=None)
@given(share=st.floats(0.05, 0.28), diameter=st.floats(60, 110))
def test_what_is_less_than_three_tenths_of_the_stated_diameter_is_no_bead(share, diameter):
    speck = max(3.0, share * diameter)
    circles = [(row, column, diameter if place % 2 else speck) for place, (row, column) in enumerate(MIDDLES)]
    assert find_beads(maps(circles), numbers()).labels.max() == 9
    assert find_beads(maps(circles), numbers(diameter)).labels.max() == 4


def test_a_bead_that_the_edge_of_the_plane_cuts_is_kept_however_little_is_seen():
    seen = maps([(70, 70, 100), (200, -40, 100), (300, 300, 20)])
    found = find_beads(seen, numbers(100)).labels
    assert found.max() == 2
    assert found[200, 0]
    assert not found[300, 300]


def test_a_smaller_least_area_that_is_asked_for_holds_instead():
    seen = maps([(70, 70, 100), (300, 300, 20)])
    assert find_beads(seen, numbers(100)).labels.max() == 1
    asked = Filters(min_area=Area(200, "px"))
    assert find_beads(seen, numbers(100, filters=asked)).labels.max() == 2


def test_of_a_shrunk_plane_an_area_that_is_asked_for_is_as_much_less():
    asked = numbers(100, filters=Filters(min_area=Area(200, "px")))
    half = Maps(*(plane[::2, ::2] for plane in maps([(70, 70, 100), (300, 300, 20)]).planes))
    assert find_beads(half, asked.shrunk(2)).labels.max() == 2


@pytest.mark.parametrize(("stated_px", "count"), [(None, 0), (40, 1), (160, 0)])
def test_a_bead_of_about_the_stated_size_needs_less_confidence(stated_px, count):
    """Of four times the size, it needs as much as without a stated one."""
    faint = maps([(200, 200, 40)], height=0.36)
    assert find_beads(faint, numbers(stated_px, min_confidence=0.65)).labels.max() == count


def flags_of(circles, stated_px, **more):
    """Return the quality flags of the plane of some discs, by row and column of the middle and diameter."""
    seen = maps(circles)
    predicted = PredictedPlane(seen)
    return label_plane(predicted, 255 - seen.probability, numbers(stated_px, **more)).quality


@settings(max_examples=25, deadline=None)
@given(diameter=st.floats(14, 40), error=st.floats(0.72, 1.38))
def test_a_diameter_that_is_a_third_off_fits(diameter, error):
    beads = [(row, column, diameter) for row, column in MIDDLES]
    assert flags_of(beads, error * diameter) == ()


@settings(max_examples=25, deadline=None)
@given(diameter=st.floats(14, 30), error=st.floats(1.8, 20), too_small=st.booleans())
def test_a_diameter_that_is_a_factor_of_two_off_or_more_is_a_flag_also_where_no_bead_is_left(
    diameter, error, too_small
):
    beads = [(row, column, diameter) for row, column in MIDDLES]
    stated = diameter / error if too_small else diameter * error
    assert flags_of(beads, stated) == ("diameter-misfit",)


def test_many_specks_beside_beads_of_the_stated_size_are_no_misfit_nor_are_two_in_an_empty_field():
    specks = [(row, column, 12) for row, column in MIDDLES[:8]]
    assert flags_of([*specks, (*MIDDLES[8], 80)], 80) == ()
    assert flags_of(specks[:2], 80) == ()
    assert flags_of(specks[:3], 80) == ("diameter-misfit",)
    assert flags_of(specks[:3], 80, filters=Filters(min_area=Area(50, "px"))) == ("diameter-misfit",)


def test_a_stated_diameter_above_the_size_of_the_plane_is_a_misfit():
    assert flags_of([], SIDE) == ()
    assert flags_of([], 1.01 * SIDE) == ("diameter-misfit",)
    # Neither are objects that were taken for parts of such beads.
    assert flags_of([(200, 0, 300)], 1.01 * SIDE) == ("diameter-misfit",)


default = pytest.mark.skipif(not DEFAULT_MODEL.exists(), reason="the package has no default model")


def gels():
    """Return a plane of four transparent beads of 140 px with dark outlines, each with 14 dark specks."""
    random = np.random.default_rng(2)
    y, x = np.mgrid[:512, :512]
    image = np.full((512, 512), 120.0)
    for row, column in ((110, 110), (120, 380), (390, 130), (370, 360)):
        far = np.hypot(y - row, x - column)
        image -= np.where(far < 70, 12, 0) + 45 * np.exp(-(((far - 70) / 3) ** 2))
        for _ in range(14):
            away, angle = random.uniform(0, 56), random.uniform(0, 2 * np.pi)
            middle = row + away * np.sin(angle), column + away * np.cos(angle)
            image -= 60 * np.exp(-((y - middle[0]) ** 2 + (x - middle[1]) ** 2) / random.uniform(8, 16))
    return (image + random.normal(0, 3, image.shape)).clip(0, 255).astype(np.uint8)


@default
@pytest.mark.parametrize("stated", ["100px", "140px", "196px"])
def test_specks_in_transparent_beads_are_not_counted(stated):
    model = Model(DEFAULT_MODEL, "cpu", 1)
    options = SegmentOptions.of(model.facts, diameter=stated)
    table = segment_plane(InMemory(gels()), model, options).table
    assert table.diameter_px == pytest.approx([140] * 4, rel=0.1)


@default
def test_the_command_line_takes_it_in_um(run, tmp_path):
    tifffile.imwrite(tmp_path / "gels.tif", gels())
    said = run("count", tmp_path / "gels.tif", "--diameter", "70um", "--pixel-size", "0.5")
    assert said.code == 0, said.err
    (row,) = csv.DictReader(said.out.splitlines())
    assert (row["count"], row["quality"]) == ("4", "")


@default
@pytest.mark.parametrize("polarity", [1, -1])
def test_beads_that_a_far_too_large_diameter_hides_are_seen(run, tmp_path, polarity):
    """The plane is shrunk for such beads, at which scale those of 7 px leave nothing."""
    y, x = np.mgrid[:384, :384]
    field = np.random.default_rng(4).normal(120, 3, y.shape)
    for row, column in MIDDLES[:5]:
        field += polarity * 40 * (np.hypot(y - row, x - column) < 3.5)
    tifffile.imwrite(tmp_path / "a.tif", field.astype(np.uint8))
    tifffile.imwrite(tmp_path / "gel.tif", gels()[:256, :256])
    said = run("count", tmp_path / "a.tif", "--diameter", "300px")
    (row,) = csv.DictReader(said.out.splitlines())
    assert row["count"] == "0"
    assert "diameter-misfit" in row["quality"].split()
    # What lies in a bead of the stated size is less than the bead.
    said = run("count", tmp_path / "gel.tif", "--diameter", "140px")
    (row,) = csv.DictReader(said.out.splitlines())
    assert (row["count"], row["quality"]) == ("1", "")


@default
def test_a_pixel_size_that_is_wrong_by_1000_is_said(run, tmp_path):
    tifffile.imwrite(tmp_path / "gels.tif", gels())
    said = run("count", tmp_path / "gels.tif", "--diameter", "70um", "--pixel-size", "0.0005")
    (row,) = csv.DictReader(said.out.splitlines())
    assert row["count"] == "0"
    assert "diameter-misfit" in row["quality"].split()
    assert "the objects have another size than --diameter states" in said.err
