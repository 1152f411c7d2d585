"""GeoJSON of a run: read back by beadctl's own reader, the label image is the same."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers.images import discs
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from beadctl.annotations.reading import read
from beadctl.results.formats import geojson
from beadctl.segmentation.measure import measure
from beadctl.segmentation.plane import Segmented


def polygons(labels, pixel_size_um=None):
    segmented = Segmented(labels, measure(labels, pixel_size_um=pixel_size_um))
    return json.loads(geojson.encode(labels, segmented, None))


def area(ring):
    x, y = np.array(ring).T
    return np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2


@given(st.integers(0, 2**32), st.integers(3, 40), st.integers(3, 40), st.floats(0.2, 0.9))
def test_outlines_hold_exactly_the_pixels_of_their_bead(tmp_path_factory, seed, height, width, share):
    """Ragged objects, with holes and touching by corners, are harder than beads."""
    noise = np.random.default_rng(seed).random((height, width)) < share
    labels = ndimage.label(noise, np.ones((3, 3)))[0].astype(np.uint32)
    path = tmp_path_factory.mktemp("geojson") / "a.geojson"
    geojson.write([path], [geojson.encode(labels, Segmented(labels, measure(labels)), None)])
    np.testing.assert_array_equal(read(path, (height, width)).labels, labels)


def test_rings_are_closed_and_turn_as_the_standard_says():
    labels = np.zeros((20, 20), np.uint32)
    labels[3:15, 4:16] = 1
    labels[6:12, 7:13] = 0
    (feature,) = polygons(labels, 0.5)["features"]
    outer, hole = feature["geometry"]["coordinates"]
    assert outer[0] == outer[-1]
    assert hole[0] == hole[-1]
    assert area(outer) > 0 > area(hole)
    assert 143 <= area(outer) <= 144
    measurements = feature["properties"]["measurements"]
    assert measurements["area_px"] == 144 - 36
    assert measurements["area_um2"] == pytest.approx((144 - 36) / 4)
    assert feature["properties"]["objectType"] == "detection"


def test_broken_pixels_give_no_measurement_that_json_lacks():
    labels, image = np.ones((4, 5), np.uint32), np.full((4, 5), np.inf)
    text = geojson.encode(image, Segmented(labels, measure(labels, image)), None)
    (feature,) = json.loads(text, parse_constant=pytest.fail)["features"]
    assert "area_px" in feature["properties"]["measurements"]
    assert "mean_intensity" not in feature["properties"]["measurements"]


def test_a_plane_without_beads_is_an_empty_collection():
    assert polygons(np.zeros((5, 6), np.uint32)) == {"type": "FeatureCollection", "features": []}


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
