"""Rasterisation of outlines."""

import numpy as np
import pytest
from helpers.annotating import circle, mask_of
from hypothesis import given
from hypothesis import strategies as st
from skimage.draw import polygon

from beadctl.annotations.outline import ellipse, filled, gathered, united

SHAPE = (24, 30)
WHOLE = st.integers(-6, 36).map(float)
PLACE = st.one_of(WHOLE, WHOLE.map(lambda value: value + 0.5), st.floats(-6, 36).map(lambda v: round(v, 3)))
# Added to tenths of a pixel, so that no line meets a pixel centre.
OFF_CENTRES = np.array([0.0313, 0.0171])
RING = st.lists(st.tuples(PLACE, PLACE), min_size=3, max_size=9)


@given(RING)
def test_outlines_off_pixel_centres_are_filled_as_by_scikit_image(points):
    """No line meets a pixel centre, where scikit-image loses some pixels."""
    ring = np.round(np.array(points), 1) + OFF_CENTRES
    truth = np.zeros(SHAPE, bool)
    truth[polygon(ring[:, 0], ring[:, 1], SHAPE)] = True
    np.testing.assert_array_equal(mask_of(filled([ring], SHAPE), SHAPE), truth)


@given(RING)
def test_a_pixel_counts_when_its_centre_is_inside_or_on_the_line(points):
    """Exact reference: each pixel against each edge, in integer thousandths."""
    start = np.rint(np.array(points) * 1000).astype(np.int64)[:, None, None, :]
    end = np.roll(start, -1, axis=0)
    middle = np.stack(np.indices(SHAPE), -1)[None] * 1000
    along, off = end - start, middle - start
    side = along[..., 0] * off[..., 1] - along[..., 1] * off[..., 0]
    low, high = np.minimum(start, end), np.maximum(start, end)
    on = ((side == 0) & (low <= middle).all(-1) & (middle <= high).all(-1)).any(0)
    crosses = (start[..., 0] <= middle[..., 0]) != (end[..., 0] <= middle[..., 0])
    inside = (crosses & ((side > 0) == (along[..., 0] > 0))).sum(0) % 2 == 1
    np.testing.assert_array_equal(mask_of(filled([np.array(points)], SHAPE), SHAPE), inside | on)


@given(RING, st.integers(-40, 40), st.integers(-40, 40), st.integers(0, 8), st.booleans())
def test_filling_is_invariant_to_start_direction_and_shift(points, down, right, turn, backwards):
    ring = np.array(points)
    shape = (200, 200)
    here = mask_of(filled([ring + 80], shape), shape)
    other = np.roll(ring[::-1] if backwards else ring, turn, axis=0) + np.array([80 + down, 80 + right])
    there = mask_of(filled([other], shape), shape)
    np.testing.assert_array_equal(np.roll(here, (down, right), (0, 1)), there)


@given(RING, RING)
def test_a_second_ring_makes_holes(first, second):
    """A pixel counts inside one ring, not both."""
    rings = [np.round(np.array(points), 1) + OFF_CENTRES for points in (first, second)]
    alone = [mask_of(filled([ring], SHAPE), SHAPE) for ring in rings]
    np.testing.assert_array_equal(mask_of(filled(rings, SHAPE), SHAPE), alone[0] ^ alone[1])


@pytest.mark.parametrize("length", [49, 98, 103, 107])
def test_a_pixel_centre_on_a_slanted_line_is_not_lost_to_rounding(length):
    """1 / 49 * 49 is less than 1."""
    triangle = np.array([(0, 0), (length, length), (length, 0)], float)
    found = mask_of(filled([triangle], (120, 120)), (120, 120))
    assert found[np.arange(length + 1), np.arange(length + 1)].all()
    assert found.sum() == (length + 1) * (length + 2) / 2


def test_the_line_around_a_hole_belongs_to_the_bead():
    square = np.array([(2, 2), (2, 12), (12, 12), (12, 2)], float)
    hole = np.array([(5, 5), (5, 9), (9, 9), (9, 5)], float)
    truth = np.zeros(SHAPE, bool)
    truth[2:13, 2:13] = True
    truth[6:9, 6:9] = False
    np.testing.assert_array_equal(mask_of(filled([square, hole], SHAPE), SHAPE), truth)


@pytest.mark.parametrize(
    "points", [[(3, 4), (3, 4), (3, 4)], [(3, 4), (3, 8), (3, 6)], [(2, 5), (6, 5), (4, 5)]]
)
def test_outlines_without_an_area_are_lines_of_pixels(points):
    ring = np.array(points, float)
    y, x = ring.min(0).astype(int), ring.max(0).astype(int)
    truth = np.zeros(SHAPE, bool)
    truth[y[0] : x[0] + 1, y[1] : x[1] + 1] = True
    np.testing.assert_array_equal(mask_of(filled([ring], SHAPE), SHAPE), truth)


def test_an_outline_without_a_pixel_centre_gives_none():
    assert filled([circle(4.5, 4.5, 0.3)], SHAPE) is None
    assert filled([circle(-9, -9, 3)], SHAPE) is None
    assert ellipse((4.5, 4.5), (0.3, 0.3), SHAPE) is None
    assert gathered(np.zeros(0, int), np.zeros(0, int)) is None
    assert united([]) is None


def test_outlines_of_many_vertices_are_filled_quickly():
    """Whole-slide regions have outlines of many vertices."""
    shape = (3000, 3000)
    ring = circle(1500, 1500, 1400)
    many = np.concatenate(
        [np.linspace(a, b, 400, endpoint=False) for a, b in zip(ring, np.roll(ring, -1, 0), strict=True)]
    )
    assert len(many) == 36_000
    np.testing.assert_array_equal(filled([many], shape).mask, filled([ring], shape).mask)
