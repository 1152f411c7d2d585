"""Shrunk planes and enlarged maps: exact, and the same for any window."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.transform import downscale_local_mean, resize

from beadctl.images import InMemory, Window
from beadctl.images.resample import Shrunk, enlarged

FACTORS = st.sampled_from([2, 3, 4, 8])
SIZES = st.integers(1, 60)


def noise(height, width, dtype=np.uint16, seed=0):
    return np.random.default_rng([seed, height, width]).integers(0, 60000, (height, width)).astype(dtype)


@given(SIZES, SIZES, FACTORS)
def test_shrunk_pixels_are_means_of_squares(down, across, factor):
    plane = noise(down * factor, across * factor)
    small = Shrunk(InMemory(plane), factor).read_all()
    assert small.dtype == np.float32
    np.testing.assert_allclose(small, downscale_local_mean(plane.astype(float), (factor, factor)), rtol=1e-6)


@given(SIZES, SIZES, FACTORS)
def test_squares_at_the_border_are_means_of_the_pixels_inside(height, width, factor):
    plane = noise(height, width)
    small = Shrunk(InMemory(plane), factor).read_all()
    assert small.shape == (-(-height // factor), -(-width // factor))
    for y, x in ((0, 0), (small.shape[0] - 1, small.shape[1] - 1)):
        square = plane[y * factor : (y + 1) * factor, x * factor : (x + 1) * factor]
        assert small[y, x] == pytest.approx(square.mean(), rel=1e-6)


@pytest.mark.filterwarnings("error")
@given(SIZES, SIZES, FACTORS, st.sampled_from([0.01, 0.5, 1.0]))
def test_pixels_without_a_value_are_left_out(height, width, factor, share):
    plane = noise(height, width, np.float64)
    plane[np.random.default_rng(1).random(plane.shape) < share] = np.nan
    small = Shrunk(InMemory(plane), factor).read_all()
    for y, x in np.ndindex(small.shape):
        square = plane[y * factor : (y + 1) * factor, x * factor : (x + 1) * factor]
        known = square[~np.isnan(square)]
        assert small[y, x] == pytest.approx(known.mean() if known.size else np.nan, rel=1e-6, nan_ok=True)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [1.7e308, -1.7e308, np.inf, -np.inf])
def test_pixels_of_huge_numbers_are_infinite_or_missing_in_silence(value):
    plane = noise(8, 8, np.float64)
    plane[2:4, 2:4] = value
    plane[2, 2] = -value
    small = Shrunk(InMemory(plane), 4).read_all()
    assert not np.isfinite(small[0, 0])
    np.testing.assert_array_equal(small[1:], Shrunk(InMemory(noise(8, 8, np.float64)), 4).read_all()[1:])


@given(SIZES, SIZES, FACTORS, st.data())
def test_window_equals_slice_of_the_whole(height, width, factor, data):
    shrunk = Shrunk(InMemory(noise(height, width, np.float32)), factor)
    top = data.draw(st.integers(0, shrunk.height - 1))
    left = data.draw(st.integers(0, shrunk.width - 1))
    window = Window(
        top,
        left,
        data.draw(st.integers(1, shrunk.height - top)),
        data.draw(st.integers(1, shrunk.width - left)),
    )
    np.testing.assert_array_equal(shrunk.read(window), shrunk.read_all()[window.slices])


@given(st.integers(2, 20), st.integers(2, 20), FACTORS)
def test_enlarging_is_bilinear(height, width, factor):
    plane = noise(height, width, np.float64, 1) % 256
    plane = np.rint(plane).astype(np.uint8)
    expected = resize(
        plane.astype(float), (height * factor, width * factor), order=1, mode="edge", anti_aliasing=False
    )
    result = enlarged(plane, factor, (height * factor, width * factor))
    assert result.dtype == np.uint8
    assert np.abs(result - expected).max() <= 0.5 + 1e-6


@given(SIZES, SIZES, FACTORS)
def test_enlarged_map_has_the_size_of_the_plane(height, width, factor):
    small = Shrunk(InMemory(noise(height, width)), factor)
    plane = np.full((small.height, small.width), 200, np.uint8)
    assert np.array_equal(enlarged(plane, factor, (height, width)), np.full((height, width), 200))


def test_bands_of_a_long_plane_are_seamless():
    plane = noise(200, 3, np.float64) % 256
    plane = plane.astype(np.uint8)
    whole = enlarged(plane, 4, (800, 12))
    assert np.abs(np.diff(whole[:, 0].astype(int))).max() <= np.ceil(
        np.abs(np.diff(plane[:, 0].astype(int))).max() / 4
    )
