"""Regions for ImageJ, read back by roifile and by beadctl's own reader; by ImageJ in test_other_programs."""

import numpy as np
import pytest
import roifile
from helpers.segmented import plane_of, ragged, segmented
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from beadctl.annotations.reading import read
from beadctl.results.formats import rois


def written(path, labels, positions=("",)):
    """Write regions of equal planes as a run does, and return what roifile reads."""
    planes = [plane_of(labels, position, index=number) for number, position in enumerate(positions)]
    rois.write([path], [rois.encode(labels, segmented(labels), plane) for plane in planes])
    return roifile.roiread(path) if labels.any() else []


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(1, 20), st.integers(1, 20), st.floats(0.1, 0.9))
def test_regions_hold_the_pixels_of_their_bead_and_its_holes(tmp_path_factory, seed, height, width, share):
    labels = ragged(seed, height, width, share)
    path = tmp_path_factory.mktemp("rois") / "a.zip"
    regions = written(path, labels)
    assert [region.name for region in regions] == [f"{label:04d}" for label in range(1, labels.max() + 1)]
    filled = sum(ndimage.binary_fill_holes(labels == label) for label in range(1, labels.max() + 1))
    if labels.any() and filled.max() == 1:
        np.testing.assert_array_equal(read(path, labels.shape).labels > 0, filled == 1)


def test_one_pixel_parts_and_far_away(tmp_path):
    labels = np.zeros((4, 70_000), np.uint32)
    labels[1, 2] = 1
    labels[0, 5] = labels[1, 6] = labels[3, 9] = 2
    labels[2:4, 69_990:69_993] = 3
    one, parts, far = written(tmp_path / "a.zip", labels)
    assert one.coordinates().tolist() == [[2, 1], [3, 1], [3, 2], [2, 2]]
    assert (one.left, one.top, one.right, one.bottom) == (2, 1, 3, 2)
    assert [len(ring) for ring in parts.coordinates(multi=True)] == [9, 5]
    (ring,) = far.coordinates(multi=True)
    assert ring[0].tolist() == [69_990, 2]
    np.testing.assert_array_equal(read(tmp_path / "a.zip", labels.shape).labels > 0, labels > 0)


@pytest.mark.parametrize(
    ("positions", "expected"),
    [
        ([""], [("0001", 0, 0, 0, 0)]),
        (["Z=0", "Z=1"], [("p0000_0001", 1, 0, 0, 0), ("p0001_0001", 2, 0, 0, 0)]),
        (["T=1 C=0 Z=4"], [("p0000_0001", 0, 1, 5, 2)]),
        (["series=1 I=2"], [("p0000_0001", 3, 0, 0, 0)]),
    ],
)
def test_regions_have_the_place_of_their_plane(tmp_path, positions, expected):
    regions = written(tmp_path / "a.zip", np.ones((3, 3), np.uint32), positions)
    assert [
        (one.name, one.position, one.c_position, one.z_position, one.t_position) for one in regions
    ] == expected


def test_equal_beads_give_equal_bytes_and_none_an_empty_archive(tmp_path):
    for name in ("a.zip", "b.zip"):
        written(tmp_path / name, ragged(3, 20, 30, 0.3))
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    written(tmp_path / "none.zip", np.zeros((3, 4), np.uint32))
    assert (tmp_path / "none.zip").read_bytes().startswith(b"PK\x05\x06")
