"""Filters keep the rows of the table without filters that are within their limits."""

import dataclasses

import numpy as np
import pytest
from helpers.images import discs
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.measure import regionprops

from beadctl.errors import ImageError, SettingsError
from beadctl.images import InMemory
from beadctl.model.session import Maps, Model
from beadctl.segmentation.filters import Filters
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.plane import label_plane, segment_plane
from beadctl.segmentation.prediction import PredictedPlane
from beadctl.segmentation.sizes import Area, Diameter

PIXEL_SIZE_UM = 0.65
SHAPE = (160, 200)


@pytest.fixture(scope="module")
def model(model_path):
    return Model(model_path, "cpu", 1)


def blobs(random):
    """Maps of beads of all sizes and shapes, some touching, and an image of them."""
    rng = np.random.default_rng(random)
    field = ndimage.gaussian_filter(rng.normal(size=SHAPE), rng.uniform(2, 5))
    probability = np.clip(128 + 90 * field / field.std() - 40, 0, 255).astype(np.uint8)
    return Maps(probability, probability), (100 + probability).astype(np.uint16)


LIMITS = st.fixed_dictionaries(
    {},
    optional={
        "min_area": st.integers(1, 78),
        "max_area": st.integers(120, 900),
        "min_diameter": st.floats(1, 10).map("{:.3f}".format),
        "max_diameter": st.floats(10, 30).map("{:.3f}".format),
        "min_circularity": st.floats(0.05, 1),
    },
)


@settings(max_examples=40)
@given(random=st.integers(0, 99), asked=LIMITS)
def test_kept_are_the_beads_within_the_limits_and_their_figures_stay(random, asked):
    maps, image = blobs(random)
    plain = SegmentOptions(0.5, 0.3, 1)
    every = label_plane(PredictedPlane(maps), image, plain, PIXEL_SIZE_UM)
    options = dataclasses.replace(plain, filters=Filters.of(asked))
    found = label_plane(PredictedPlane(maps), image, options, PIXEL_SIZE_UM)

    # That of a bead without a pixel inside the outline may be unknown.
    circularity = dict(zip(every.table.label, np.nan_to_num(every.table.circularity, nan=-1), strict=True))

    def within(bead):
        return (
            asked.get("min_area", 0) <= bead.area <= asked.get("max_area", np.inf)
            and float(asked.get("min_diameter", 0)) <= bead.equivalent_diameter_area
            and bead.equivalent_diameter_area <= float(asked.get("max_diameter", np.inf))
            and ("min_circularity" not in asked or circularity[bead.label] >= asked["min_circularity"])
        )

    kept = [bead.label for bead in regionprops(every.labels.astype(np.int64)) if within(bead)]
    assert found.filtered == len(every.table) - len(kept)
    wanted = np.isin(every.labels, kept)
    np.testing.assert_array_equal(found.labels > 0, wanted)
    assert np.unique(found.labels[wanted]).tolist() == list(range(1, len(kept) + 1))
    rows = [row for row in every.table.rows() if row["label"] in kept]
    assert [row | {"label": 0} for row in found.table.rows()] == [row | {"label": 0} for row in rows]
    assert found.table.label.tolist() == list(range(1, len(kept) + 1))
    np.testing.assert_array_equal(np.bincount(found.labels.ravel())[1:], found.table.area_px)


@settings(max_examples=20)
@given(random=st.integers(0, 99), area_px=st.integers(1, 500), diameter_px=st.integers(1, 20))
def test_micrometres_filter_as_the_pixels_that_they_are(random, area_px, diameter_px):
    maps, image = blobs(random)

    def found(asked):
        options = SegmentOptions(0.5, 0.3, 8, filters=Filters.of(asked))
        return label_plane(PredictedPlane(maps), image, options, PIXEL_SIZE_UM).labels

    um2, um = f"{area_px * PIXEL_SIZE_UM**2:.9f}um2", f"{diameter_px * PIXEL_SIZE_UM:.9f} µm"
    for least_um, least_px in (
        ({"min_area": um2}, {"min_area": area_px}),
        ({"max_area": um2}, {"max_area": f"{area_px}px2"}),
        ({"min_diameter": um}, {"min_diameter": diameter_px}),
        ({"max_diameter": um}, {"max_diameter": f"{diameter_px} px"}),
    ):
        np.testing.assert_array_equal(found(least_um), found(least_px))


def test_a_limit_is_kept():
    maps, image = blobs(3)
    table = label_plane(PredictedPlane(maps), image, SegmentOptions(0.5, 0.3, 1), PIXEL_SIZE_UM).table
    area, diameter = table.area_um2[0], table.diameter_um[0]
    for kind in ("min", "max"):
        filters = Filters.of({f"{kind}_area": f"{area:.9f}um2", f"{kind}_diameter": f"{diameter:.9f}um"})
        assert filters.in_px(PIXEL_SIZE_UM).kept(table)[0]


@pytest.mark.parametrize("tile_size", [0, 32, 64])
def test_filters_do_not_depend_on_tiles(model, tile_size):
    image, truth = discs(20, *SHAPE)
    image[30:36, 60:120] = image.max()
    asked = {"min_area": 40, "max_diameter": 14, "min_circularity": 0.7}
    options = SegmentOptions.of(model.facts, asked)
    whole = segment_plane(InMemory(image), model, options)
    tiled = segment_plane(InMemory(image), model, dataclasses.replace(options, tile_size=tile_size))
    assert 10 < len(whole.table) <= truth.max()
    assert whole.filtered > 0
    np.testing.assert_array_equal(tiled.labels, whole.labels)
    assert list(tiled.table.rows()) == list(whole.table.rows())


@pytest.mark.parametrize("name", ["min_area", "max_area", "min_diameter", "max_diameter"])
def test_micrometres_need_a_pixel_size(model, name):
    size = "500um2" if name.endswith("area") else "20um"
    options = SegmentOptions.of(model.facts, {name: size})
    flag = f"--{name.replace('_', '-')}"
    with pytest.raises(ImageError, match=f"--pixel-size, or {flag} in px"):
        segment_plane(InMemory(discs(4)[0]), model, options)
    segment_plane(InMemory(discs(4)[0]), model, options, pixel_size_um=0.5)


def test_a_smaller_least_area_than_the_models_finds_smaller_beads(model):
    image = discs(4)[0]
    rows, columns = np.indices(image.shape)
    image[np.hypot(rows - 60, columns - 60) <= 2] = image.max()
    counts = [
        len(segment_plane(InMemory(image), model, SegmentOptions.of(model.facts, {"min_area": area})).table)
        for area in (None, 1, 60)
    ]
    assert counts[1] >= counts[0] >= counts[2] == 4


@pytest.mark.parametrize(
    ("text", "area"),
    [
        ("60", Area(60, "px")),
        (" 7.5 px ", Area(7.5, "px")),
        ("60px2", Area(60, "px")),
        ("25um2", Area(25, "um")),
        ("25 µm²", Area(25, "um")),
        ("25um^2", Area(25, "um")),
    ],
)
def test_an_area_has_a_number_and_a_unit(text, area):
    assert Area.parse(text) == area


@pytest.mark.parametrize("text", ["", "um2", "-3", "0", "0um2", "25um", "25mm2", "1e3"])
def test_what_is_no_area_is_refused(text):
    with pytest.raises(SettingsError, match=r"--max-area .*not an area; give it as 60px or 25um2"):
        Area.parse(text, "--max-area")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"min_area": "80", "max_diameter": "10"}, "--min-area 80 is above --max-diameter 10"),
        ({"min_diameter": "10um", "max_area": "78um2"}, "--min-diameter 10 is above --max-area 78"),
    ],
)
def test_an_area_is_compared_with_the_diameter_of_its_disc(asked, words):
    with pytest.raises(SettingsError, match=words):
        Filters.of(asked)
    # The area of a disc that is 10 wide is 78.54.
    assert Filters.of({"min_area": "78", "max_diameter": "10"}).names == ("--min-area", "--max-diameter")


def test_limits_that_leave_no_bead_are_refused():
    with pytest.raises(SettingsError, match=r"--min-diameter 9 is above --max-diameter 5"):
        Filters.of({"min_diameter": "9px", "max_diameter": "5"})
    assert Filters.of({"min_diameter": "9px", "max_diameter": "5um"}).max_diameter == Diameter(5, "um")
    mixed = Filters.of({"min_area": "100um2", "max_area": "90px"})
    with pytest.raises(ImageError, match=r"--min-area 400 is above --max-area 90"):
        mixed.in_px(0.5)
    assert mixed.in_px(2).min_area == Area(25, "px")
    assert Filters.of({"min_area": "25um2", "max_area": "100px"}).in_px(0.5).max_area == Area(100, "px")
