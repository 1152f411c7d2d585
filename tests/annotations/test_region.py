"""Regions as pixels: rectangles, outlines of QuPath and ImageJ, and mask images."""

import json

import numpy as np
import pytest
import tifffile
from helpers import annotating
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from beadctl.annotations.region import CountedRegion, Region
from beadctl.errors import AnnotationError, SettingsError

SHAPE = (40, 60)
NUMBERS = st.decimals(-10, 70, places=2)


def pixels(region, exclude=None, shape=SHAPE):
    return CountedRegion.of(region and str(region), exclude and str(exclude)).mask(shape).inside


def box(top, left, bottom, right):
    mask = np.zeros(SHAPE, bool)
    mask[top:bottom, left:right] = True
    return mask


def polygon(*points, **properties):
    ring = [*points, points[0]]
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": properties or {"objectType": "annotation"},
    }


CORNERS = (10, 5), (30, 5), (30, 25), (10, 25)


def write(kind, path):
    """Write the rectangle x 10 to 30, y 5 to 25."""
    if kind == "geojson":
        annotating.save(path, {"type": "FeatureCollection", "features": [polygon(*CORNERS)]})
    elif kind == "bare.geojson":
        annotating.save(path, polygon(*CORNERS)["geometry"])
    elif kind == "roi":
        path.write_bytes(annotating.region(annotating.RECT, (5, 10, 25, 30)))
    elif kind == "traced.roi":
        path.write_bytes(annotating.traced(box(5, 10, 25, 30)))
    elif kind == "zip":
        upper = annotating.region(annotating.RECT, (5, 10, 15, 30))
        annotating.region_set(path, [upper, annotating.region(annotating.RECT, (15, 10, 25, 30))])
    elif kind == "tif":
        tifffile.imwrite(path, box(5, 10, 25, 30).astype(np.uint16) * 3)
    else:
        Image.fromarray(box(5, 10, 25, 30).astype(np.uint8) * 255).save(path)
    return path


@pytest.mark.parametrize("kind", ["geojson", "bare.geojson", "roi", "traced.roi", "zip", "tif", "png"])
def test_every_kind_is_the_same_rectangle(kind, tmp_path):
    if kind.endswith(("roi", "zip")):
        pytest.importorskip("roifile")
    path = write(kind, tmp_path / f"region.{kind}")
    assert np.array_equal(pixels(path), pixels("10,5,20,20"))
    assert np.array_equal(pixels(path), box(5, 10, 25, 30))
    assert np.array_equal(pixels(None, path), ~box(5, 10, 25, 30))
    assert np.array_equal(pixels("0,0,20,40", path), box(0, 0, 40, 20) & ~box(5, 10, 25, 30))


def test_a_mask_is_inside_where_it_is_not_zero(tmp_path):
    values = np.random.default_rng(0).integers(0, 4, SHAPE).astype(np.uint8)
    tifffile.imwrite(tmp_path / "mask.tif", values)
    assert np.array_equal(pixels(tmp_path / "mask.tif"), values > 0)


def test_greys_of_jpeg_around_a_mask_are_not_in_the_region(tmp_path):
    disc = np.hypot(*(np.indices((80, 80)) - 40)) < 25
    path = tmp_path / "mask.jpg"
    Image.fromarray(disc.astype(np.uint8) * 255).save(path, quality=75)
    found = CountedRegion.of(str(path), None).mask(disc.shape)
    assert np.count_nonzero(found.inside != disc) < 0.01 * disc.sum()
    assert "grey mask" in found.notes[0]


@pytest.mark.parametrize("values", [(1, 1), (1, 2), (254, 255)])
def test_a_mask_without_zero_is_said_to_be_the_whole_image(tmp_path, values):
    tifffile.imwrite(tmp_path / "mask.tif", np.where(box(5, 5, 9, 9), *values).astype(np.uint8))
    found = CountedRegion.of(str(tmp_path / "mask.tif"), None).mask(SHAPE)
    assert found.inside.all()
    assert "whole image" in found.notes[0]


@given(NUMBERS, NUMBERS, st.decimals("0.01", 50, places=2), st.decimals("0.01", 50, places=2))
def test_rectangles_that_meet_share_no_pixel_and_leave_none(x, y, width, height):
    """A pixel is inside when x <= its centre < x + width, and so for y."""
    rows, columns = (np.arange(size) + 0.5 for size in SHAPE)
    inside = (
        (rows >= float(y)) & (rows < float(y + height)),
        (columns >= float(x)) & (columns < float(x + width)),
    )
    wanted = inside[0][:, None] & inside[1][None, :]
    parts = []
    for left, wide in ((-10, x + 10), (x, width), (x + width, 200)):
        try:
            parts.append(pixels(f"{left},{y},{wide},{height}"))
        except (AnnotationError, SettingsError):
            parts.append(np.zeros(SHAPE, bool))
    assert np.array_equal(parts[1], wanted)
    assert np.array_equal(np.sum(parts, axis=0), np.broadcast_to(inside[0][:, None], SHAPE))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,2,3", "x,y,width,height"),
        ("1,2,0,4", "x,y,width,height"),
        ("1,2,nan,4", "x,y,width,height"),
        ("1,2,1e999999999,4", "x,y,width,height"),
        ("missing.roi", "existing file"),
    ],
)
def test_what_is_no_region_is_refused_at_once(text, words):
    with pytest.raises(SettingsError, match=words) as caught:
        Region.of(text, "--region")
    assert str(caught.value).startswith(f"--region {text}: ")


def test_files_of_other_kinds_are_refused_at_once(tmp_path):
    table = annotating.written(tmp_path / "beads.csv", "x,y\n1,2\n")
    broken = annotating.written(tmp_path / "broken.geojson", '{"features": [{"type": "Feature"')
    named = annotating.save(tmp_path / "named.geojson", {"features": [polygon(*CORNERS, image="a.tif")]})
    for path, words in ((table, "no region"), (broken, "JSON"), (named, "names images")):
        with pytest.raises(SettingsError, match=words) as caught:
            Region.of(str(path), "--region")
        assert str(caught.value).startswith(f"--region {path}: ")


@pytest.mark.parametrize("text", ["60,0,5,5", "0,40,5,5", "-20,0,20,5", "0,-5,9,5.4"])
def test_a_rectangle_outside_the_image_is_an_error(text):
    with pytest.raises(AnnotationError, match="outside the image"):
        pixels(text)


def test_a_region_without_a_pixel_is_an_error(tmp_path):
    tifffile.imwrite(tmp_path / "none.tif", np.zeros(SHAPE, np.uint8))
    tiny = annotating.save(
        tmp_path / "tiny.geojson", {"features": [polygon((3.1, 3.1), (3.2, 3.1), (3.2, 3.2))]}
    )
    for region in (tmp_path / "none.tif", tiny, "3.6,3.6,0.2,0.2"):
        with pytest.raises(AnnotationError, match="without a pixel"):
            pixels(region)
    line = {"type": "Feature", "geometry": {"type": "LineString", "coordinates": [[5, 5], [20, 9]]}}
    annotating.save(tmp_path / "line.geojson", {"features": [line]})
    with pytest.raises(AnnotationError, match="lines, left out"):
        pixels(tmp_path / "line.geojson")
    with pytest.raises(AnnotationError, match="leaves nothing"):
        pixels("5,5,10,10", "0,0,60,40")


def test_a_mask_of_another_shape_is_an_error(tmp_path):
    tifffile.imwrite(tmp_path / "mask.tif", np.ones((40, 61), np.uint8))
    with pytest.raises(AnnotationError, match="40x61 px"):
        pixels(tmp_path / "mask.tif")


def test_what_is_cut_or_left_out_is_noted(tmp_path):
    assert CountedRegion.of("50,0,20,10", None).mask(SHAPE).notes == (
        "the region 50,0,20,10 reaches beyond it and is cut",
    )
    wide = annotating.save(
        tmp_path / "wide.geojson", {"features": [polygon((50, 0), (70, 0), (70, 10), (50, 10))]}
    )
    found = CountedRegion.of(str(wide), None).mask(SHAPE)
    assert np.array_equal(found.inside, box(0, 50, 10, 60))
    assert found.notes == (f"{wide}: outlines that reach beyond the image, cut at its border: 1",)


def test_outlines_inside_one_another_are_their_union(tmp_path):
    outer = polygon((10, 5), (30, 5), (30, 25), (10, 25))
    inner = polygon((12, 7), (20, 7), (20, 20), (12, 20))
    for features in ([outer, inner], [inner, outer]):
        path = annotating.save(tmp_path / "nested.geojson", {"features": features})
        found = CountedRegion.of(str(path), None).mask(SHAPE)
        assert np.array_equal(found.inside, box(5, 10, 25, 30))
        assert found.notes == ()


def test_points_and_detections_are_no_region(tmp_path):
    point = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [5, 5]}, "properties": {}}
    bead = polygon((12, 7), (20, 7), (20, 20), objectType="detection")
    for features, words in (([point], "points"), ([polygon(*CORNERS), bead], "detections")):
        path = annotating.save(tmp_path / "region.geojson", {"features": features})
        with pytest.raises(AnnotationError, match=words):
            pixels(path)


def test_identity_is_the_content_and_not_the_place(tmp_path):
    first, second = (write("geojson", tmp_path / name) for name in ("a.geojson", "b.geojson"))
    assert Region.of(str(first), "").identity == Region.of(str(second), "").identity
    document = json.loads(second.read_text())
    document["features"] = [polygon((10, 5), (31, 5), (30, 25))]
    annotating.save(second, document)
    assert Region.of(str(first), "").identity != Region.of(str(second), "").identity
    assert Region.of("1,2,3,4", "").identity == Region.of("1, 2, 3.0, 4", "").identity
    one, other = (CountedRegion.of(*pair).identity for pair in (("1,2,3,4", None), (None, "1,2,3,4")))
    assert one != other
