"""Local contrast: the mean and deviation around a pixel, by definition, and the same in every window."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beadctl import scratch
from beadctl.images.local_contrast import LIMITS, BlockSums

BLOCK = LIMITS.block_px
SHAPES = st.tuples(st.integers(1, 60), st.integers(1, 60))


def plane(shape, seed=0, amplitude=1.0):
    """Noise on uneven ground."""
    y, x = np.indices(shape)
    ground = np.sin(x / 19) + y / 40
    return (ground + amplitude * np.random.default_rng(seed).normal(size=shape)).astype(np.float32)


def contrast(values, sigma_px=8.0):
    return BlockSums.of(values).around(sigma_px).apply(values)


def by_definition(values, sigma_px):
    """Mean and deviation around each square of the grid: a finite pixel weighs by its square's distance."""
    values = values.astype(np.float64)
    sigma = sigma_px / BLOCK
    rows, columns = (-(-length // BLOCK) for length in values.shape)
    y, x = (np.indices(values.shape) // BLOCK).reshape(2, -1)
    finite = np.isfinite(values).ravel()
    y, x, known = y[finite], x[finite], values.ravel()[finite]
    reach = int(3 * sigma + 0.5)
    mean, deviation = np.zeros((2, rows, columns))
    for row in range(rows):
        for column in range(columns):
            inside = (abs(y - row) <= reach) & (abs(x - column) <= reach)
            weight = inside * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * sigma**2))
            mean[row, column] = np.average(known, weights=weight)
            square = np.average((known - mean[row, column]) ** 2, weights=weight)
            deviation[row, column] = np.sqrt(square + LIMITS.floor**2)
    return mean, deviation


@pytest.mark.parametrize("shape", [(1, 1), (1, 37), (41, 1), (24, 32), (37, 50)])
@pytest.mark.parametrize("sigma_px", [8.0, 32.0])
def test_mean_and_deviation_are_the_weighted_ones(shape, sigma_px):
    values = plane(shape)
    if values.size > 100:
        values[3:9, 5:30], values[20, 20] = np.nan, np.inf
    found = BlockSums.of(values).around(sigma_px)
    mean, deviation = by_definition(values, sigma_px)
    np.testing.assert_allclose(found.mean, mean, atol=1e-6)
    np.testing.assert_allclose(found.deviation, deviation, atol=1e-6)


def test_between_the_middles_of_squares_it_is_interpolated():
    """With the deviation nearly equal everywhere, what is left of a ramp is the ramp less its mean."""
    values = plane((64, 80), amplitude=0.3)
    around = BlockSums.of(values).around(8.0)
    y, x = (np.arange(length) for length in values.shape)
    grid = [(np.arange(length) + 0.5) * BLOCK - 0.5 for length in around.mean.shape]

    def bilinear(part):
        lines = np.array([np.interp(x, grid[1], line) for line in part])
        return np.array([np.interp(y, grid[0], column) for column in lines.T]).T

    wanted = np.clip((values - bilinear(around.mean)) / bilinear(around.deviation), -5, 5)
    np.testing.assert_allclose(around.apply(values), wanted, atol=1e-5)


@given(shape=SHAPES, sigma_px=st.sampled_from([8.0, 32.0]), data=st.data())
def test_a_window_has_the_values_of_the_whole(shape, sigma_px, data):
    values = plane(shape)
    around = BlockSums.of(values).around(sigma_px)
    top, left = (data.draw(st.integers(0, length - 1)) for length in shape)
    bottom, right = data.draw(st.integers(top + 1, shape[0])), data.draw(st.integers(left + 1, shape[1]))
    window = around.apply(values[top:bottom, left:right], top, left)
    np.testing.assert_array_equal(window, around.apply(values)[top:bottom, left:right])


@given(shape=SHAPES, bands=st.lists(st.integers(1, 5), max_size=6))
def test_sums_of_bands_are_those_of_the_plane(shape, bands):
    values = plane(shape)
    tops = [BLOCK * int(row) for row in np.cumsum([0, *bands])]
    parts = [values[top:bottom] for top, bottom in zip(tops, [*tops[1:], shape[0]], strict=True)]
    joined = BlockSums.joined((BlockSums.of(part) for part in parts if len(part)), *shape)
    whole = BlockSums.of(values)
    for name in ("count", "total", "squares"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))
    assert joined.count.sum() == values.size


@given(gain=st.floats(0.5, 1e4), shift=st.floats(-10, 10), seed=st.integers(0, 9))
def test_gain_and_offset_do_not_matter_where_the_deviation_is_far_above_the_floor(gain, shift, seed):
    values = plane((40, 44), seed, amplitude=3.0)
    brighter = (values.astype(np.float64) * gain + gain * shift).astype(np.float32)
    np.testing.assert_allclose(contrast(brighter), contrast(values), atol=3e-3)


@given(seed=st.integers(0, 9), sigma_px=st.sampled_from([8.0, 32.0]))
def test_the_negative_of_an_image_gives_the_negative(seed, sigma_px):
    values = plane((30, 41), seed)
    np.testing.assert_array_equal(contrast(-values, sigma_px), -contrast(values, sigma_px))


@pytest.mark.parametrize("missing", [np.nan, np.inf, -np.inf])
def test_missing_pixels_are_0_and_do_not_count(missing):
    values = plane((48, 40))
    holes = np.random.default_rng(1).random(values.shape) < 0.2
    holed = np.where(holes, np.float32(missing), values)
    found = contrast(holed)
    assert not found[holes].any()
    # Whatever cannot be read, the others are the same.
    np.testing.assert_array_equal(found, contrast(np.where(holes, np.float32(np.nan), values)))
    assert np.isfinite(found).all()
    assert np.abs(found - contrast(values))[~holes].max() < 1


def test_a_part_without_any_pixel_stays_finite():
    values = np.full((400, 300), np.nan, np.float32)
    assert not contrast(values).any()
    values[:8, :8] = plane((8, 8))
    found = contrast(values)
    assert np.isfinite(found).all()
    assert found[:8, :8].any()
    assert not found[8:].any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (3, 5), (64, 64)])
@pytest.mark.parametrize("value", [0.0, -1.0, 0.3, 40.0])
def test_a_constant_plane_is_0(shape, value):
    assert np.abs(contrast(np.full(shape, value, np.float32))).max() < 1e-3


def test_values_are_clipped():
    values = plane((64, 64), amplitude=0.01)
    values[30, 30], values[40, 40] = 1e6, -1e6
    found = contrast(values, 32.0)
    assert found.dtype == np.float32
    assert (found.max(), found.min()) == (5, -5)


def test_pixels_of_any_size_are_finite():
    values = plane((32, 32)) * np.float32(1e37)
    assert np.isfinite(contrast(values)).all()
    assert contrast(values).any()


@pytest.mark.parametrize("axis", [0, 1])
def test_mirror_images_have_mirrored_contrasts(axis):
    values = plane((64, 96))
    mirrored = np.flip(contrast(np.flip(values, axis)), axis)
    np.testing.assert_allclose(mirrored, contrast(values), atol=1e-4)
    turned = contrast(np.ascontiguousarray(values.T)).T
    np.testing.assert_allclose(turned, contrast(values), atol=1e-4)


def test_a_bead_beside_a_much_brighter_object_keeps_its_contrast():
    """Percentiles of the whole plane would show it at a thirtieth."""
    y, x = np.indices((256, 256))
    noise = np.random.default_rng(0).normal(0, 0.02, y.shape)
    bead = (y - 60) ** 2 + (x - 60) ** 2 <= 36
    alone = noise + bead
    beside = alone + 30 * ((y - 200) ** 2 + (x - 200) ** 2 <= 1600)
    found, wanted = (contrast(image.astype(np.float32)) for image in (beside, alone))
    assert wanted[bead].min() > 1
    np.testing.assert_allclose(found[bead], wanted[bead], atol=1e-4)


@settings(max_examples=30, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 300), st.integers(1, 90)),
    band=st.integers(1, 40),
    sigma_px=st.sampled_from([8.0, 32.0]),
)
def test_windows_of_bands_are_those_of_the_plane(shape, band, sigma_px):
    values = np.random.default_rng(shape[0]).normal(size=shape).astype(np.float32)
    sums = BlockSums.of(values)
    whole = sums.around(sigma_px)
    with pytest.MonkeyPatch.context() as small:
        bands = scratch.bands
        small.setattr(scratch, "bands", lambda height, width: bands(height, width, px=band * width))
        parts = sums.around(sigma_px)
    np.testing.assert_array_equal(parts.mean, whole.mean)
    np.testing.assert_array_equal(parts.deviation, whole.deviation)
