"""Outlines along the edges of pixels, against shapely."""

import numpy as np
from helpers.segmented import ragged
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from shapely.geometry import MultiPolygon

from beadctl.results.outlines import area_px, shapes

OBJECTS = st.builds(ragged, st.integers(0, 2**32), st.integers(1, 15), st.integers(1, 15), st.floats(0.1, 1))


def present(labels):
    return np.unique(labels[labels > 0]).astype(np.int64)


@given(OBJECTS)
def test_polygons_are_valid_and_have_the_area_of_their_pixels(labels):
    found = list(shapes(labels, present(labels)))
    assert [shape.label for shape in found] == present(labels).tolist()
    for shape in found:
        polygons = shape.polygons()
        assert len(polygons) == ndimage.label(labels == shape.label)[1]
        for outer, *holes in polygons:
            assert area_px(outer) > 0
            assert all(area_px(hole) < 0 for hole in holes)
        whole = MultiPolygon([(outer, holes) for outer, *holes in polygons])
        assert whole.is_valid
        assert whole.area == np.sum(labels == shape.label)


@given(OBJECTS)
def test_outer_rings_go_around_what_hangs_together(labels):
    for shape in shapes(labels, present(labels)):
        mask = labels == shape.label
        rings = shape.outer()
        assert len(rings) == ndimage.label(mask, np.ones((3, 3)))[1]
        assert sum(map(area_px, rings)) == ndimage.binary_fill_holes(mask).sum()


def test_some_of_the_labels_in_order():
    labels = np.array([[9, 0, 2], [0, 0, 2]], np.uint32)
    found = {shape.label: shape.outer() for shape in shapes(labels, np.array([2, 9]))}
    assert found == {2: [[(2, 0), (3, 0), (3, 2), (2, 2)]], 9: [[(0, 0), (1, 0), (1, 1), (0, 1)]]}
