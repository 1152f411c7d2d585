"""Pixels without a value, filled with the mirror image of those beside them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beadctl.images import InMemory, Mirrored, Window
from beadctl.images.mirrored import REACH_PX


def filled(plane):
    return Mirrored(InMemory(plane)).read_all()


def by_pixels(plane):
    """Fill each pixel on its own, by the words of `Mirrored`."""
    known, result = np.isfinite(plane), plane.astype(float)

    def at(y, x):
        inside = 0 <= y < plane.shape[0] and 0 <= x < plane.shape[1]
        return float(plane[y, x]) if inside and known[y, x] else None

    for y, x in np.argwhere(~known):
        for distance in range(1, REACH_PX + 1):
            found = []
            for down, across in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                edge = at(y + down * distance, x + across * distance)
                if edge is not None:
                    beyond = 2 * distance - 1
                    mirror = at(y + down * beyond, x + across * beyond)
                    found.append(edge if mirror is None else mirror)
            if found:
                result[y, x] = np.mean(found)
                break
        else:
            result[y, x] = np.nan
    return result


def plane_with_holes(seed, shape, share, number=np.nan):
    rng = np.random.default_rng(seed)
    plane = rng.normal(100, 20, shape).astype(np.float32)
    plane[rng.random(shape) < share] = number
    top, left = (int(rng.integers(0, length)) for length in shape)
    plane[top : top + shape[0] // 2, left : left + shape[1] // 3] = np.nan
    return plane


@given(
    seed=st.integers(0, 99),
    shape=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    share=st.sampled_from([0, 0.05, 0.9]),
)
def test_each_missing_pixel_gets_the_value_beyond_the_nearest_edge(seed, shape, share):
    plane = plane_with_holes(seed, shape, share)
    wanted = by_pixels(plane)
    found = filled(plane)
    np.testing.assert_allclose(found[np.isfinite(wanted)], wanted[np.isfinite(wanted)], rtol=1e-5)
    # What no value is near stays as it was.
    np.testing.assert_array_equal(found[np.isnan(wanted)], plane[np.isnan(wanted)])


def test_a_gap_is_the_mirror_image_of_both_sides():
    plane = np.full((1, 8), np.nan)
    plane[0, :2], plane[0, 6:] = (1, 2), (8, 9)
    assert filled(plane).tolist() == [[1, 2, 2, 1, 9, 8, 8, 9]]


@given(seed=st.integers(0, 99), data=st.data())
def test_a_window_is_that_of_the_whole_plane(seed, data):
    plane = plane_with_holes(seed, (150, 110), 0.02, np.inf)
    top, left = data.draw(st.integers(0, 149)), data.draw(st.integers(0, 109))
    window = Window(top, left, data.draw(st.integers(1, 150 - top)), data.draw(st.integers(1, 110 - left)))
    np.testing.assert_array_equal(
        Mirrored(InMemory(plane)).read(window), filled(plane)[window.slices], strict=True
    )


@pytest.mark.parametrize("dtype", ["u1", "i4", "f4", "f8", "?"])
def test_a_plane_with_all_values_stays_as_it_is(dtype):
    plane = np.random.default_rng(0).integers(0, 2, (70, 9)).astype(dtype)
    np.testing.assert_array_equal(filled(plane), plane, strict=True)


def test_the_plane_itself_is_not_changed():
    plane = plane_with_holes(1, (40, 40), 0.1)
    before = plane.copy()
    assert not np.array_equal(filled(plane), before, equal_nan=True)
    np.testing.assert_array_equal(plane, before)
