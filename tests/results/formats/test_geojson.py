"""GeoJSON of a run: read back by beadctl's own reader, the label image is the same."""

import json
from pathlib import Path

import numpy as np
import pytest
import shapely
import tifffile
from helpers.images import discs
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from beadctl.annotations.reading import read
from beadctl.results.formats import geojson
from beadctl.segmentation.measure import measure
from beadctl.segmentation.plane import Segmented


def written(path, labels, image=None, pixel_size_um=None):
    """Return the text that is written of a label image."""
    segmented = Segmented(labels, measure(labels, image, pixel_size_um=pixel_size_um))
    geojson.write([path], [geojson.encode(labels, segmented, None)])
    return path.read_text()


def area(ring):
    x, y = np.array(ring).T
    return np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2


@settings(max_examples=50)
@given(st.integers(0, 2**32), st.integers(3, 20), st.integers(3, 20), st.floats(0.2, 0.9))
def test_outlines_hold_exactly_the_pixels_of_their_bead(tmp_path_factory, seed, height, width, share):
    """Ragged objects, with holes and touching by corners, are harder than beads."""
    noise = np.random.default_rng(seed).random((height, width)) < share
    labels = ndimage.label(noise, np.ones((3, 3)))[0].astype(np.uint32)
    path = tmp_path_factory.mktemp("geojson") / "a.geojson"
    features = json.loads(written(path, labels))["features"]
    np.testing.assert_array_equal(read(path, (height, width)).labels, labels)
    shapes = [shapely.from_geojson(json.dumps(feature["geometry"])) for feature in features]
    assert all(shape.is_valid for shape in shapes)
    assert [shape.area for shape in shapes] == np.bincount(labels.ravel())[1:].tolist()


def test_rings_are_closed_and_turn_as_the_standard_says(tmp_path):
    labels = np.zeros((20, 20), np.uint32)
    labels[3:15, 4:16] = 1
    labels[6:12, 7:13] = 0
    (feature,) = json.loads(written(tmp_path / "a.geojson", labels, pixel_size_um=0.5))["features"]
    outer, hole = feature["geometry"]["coordinates"]
    assert outer == [[4, 3], [16, 3], [16, 15], [4, 15], [4, 3]]
    assert hole[0] == hole[-1]
    assert area(hole) == -36
    properties = feature["properties"]
    assert properties["measurements"]["area_px"] == 144 - 36
    assert properties["measurements"]["area_um2"] == pytest.approx((144 - 36) / 4)
    assert (properties["objectType"], properties["name"]) == ("detection", "bead 1")


def test_parts_of_a_bead_that_share_no_edge_are_several_polygons(tmp_path):
    labels = np.array([[5, 0, 0], [0, 5, 5]], np.uint32)
    (feature,) = json.loads(written(tmp_path / "a.geojson", labels))["features"]
    assert feature["geometry"]["type"] == "MultiPolygon"
    assert sorted(area(rings[0]) for rings in feature["geometry"]["coordinates"]) == [1, 2]


def test_broken_pixels_give_no_measurement_that_json_lacks(tmp_path):
    labels, image = np.ones((4, 5), np.uint32), np.full((4, 5), np.inf)
    text = written(tmp_path / "a.geojson", labels, image)
    (feature,) = json.loads(text, parse_constant=pytest.fail)["features"]
    assert "area_px" in feature["properties"]["measurements"]
    assert "mean_intensity" not in feature["properties"]["measurements"]


def test_a_plane_without_beads_is_an_empty_collection(tmp_path):
    text = written(tmp_path / "a.geojson", np.zeros((5, 6), np.uint32))
    assert json.loads(text) == {"type": "FeatureCollection", "features": []}


def test_save_chooses_the_files_of_a_run(run, tmp_path, model_path):
    tifffile.imwrite(
        tmp_path / "a.tif", np.stack([discs(3)[0], discs(5)[0]]), imagej=True, metadata={"axes": "ZYX"}
    )
    said = run("segment", "a.tif", "-m", model_path, "-o", "out", "--save", "geojson")
    assert said.code == 0, said.err
    files = {path.relative_to("out").as_posix() for path in Path("out").glob("*/*.*")}
    assert files == {"geojson/a_p0000.geojson", "geojson/a_p0001.geojson"}
    beads = [len(json.loads(Path(f"out/geojson/a_p000{n}.geojson").read_text())["features"]) for n in (0, 1)]
    assert beads == [3, 5]
    assert run("segment", "a.tif", "-m", model_path, "-o", "out", "--save", "geojson").code == 0
    said = run("segment", "a.tif", "-m", model_path, "-o", "other", "--save", "masks,pictures")
    assert said.code == 2
    assert "pictures" in said.error
    assert "masks" in said.error
