"""Normalisation: measured on the whole plane, independent of gain and offset of the camera."""

import time

import numpy as np
import pytest
import tifffile
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from beadctl.errors import ImageError
from beadctl.images import InMemory, InputName, Normalisation, levels_of, measure_levels, open_image
from beadctl.images.normalisation import NORMALISED, clipped, sample_bands


class RecordingPixels(InMemory):
    """Pixels that record the size of each window that is read."""

    sizes: list[int]

    def read(self, window):
        self.sizes.append(window.height * window.width)
        return super().read(window)


def by_numpy(array):
    values = np.asarray(array, dtype=np.float64)
    return np.percentile(values[np.isfinite(values)], [0.1, 50, 99.9])


# As the two kinds of input use them.
SURROUNDS = {"around_median": InputName.MEDIAN.surround, "around_middle": InputName.LOCAL.surround}
AROUND = pytest.mark.parametrize("around", SURROUNDS)


def normalised(image, around):
    """The first channel of an image, normalised by its own levels."""
    return clipped(getattr(levels_of(image, SURROUNDS[around]), around).scaled(image))


@pytest.mark.parametrize("dtype", ["bool", "u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8", "u8"])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (100, 101), (300, 300)])
def test_percentiles_are_those_of_numpy(dtype, shape):
    rng = np.random.default_rng(3)
    image = (rng.normal(size=shape) * 20 + 60).astype(dtype)
    low, middle, high = by_numpy(image)
    measured = levels_of(image)
    assert (measured.low, measured.median, measured.high) == pytest.approx((low, middle, high), 1e-6, 1e-9)
    around = measured.around_median
    assert (around.offset, around.scale) == pytest.approx(
        (middle, max(high - middle, middle - low)), 1e-6, 1e-9
    )
    around = measured.around_middle
    assert (around.offset, around.scale) == pytest.approx(((low + high) / 2, (high - low) / 2), 1e-6, 1e-9)


@AROUND
@settings(max_examples=60, deadline=None)
@given(
    image=arrays.arrays(np.int16, (17, 23), elements=st.integers(-1000, 1000)),
    gain=st.sampled_from([0.25, 1, 3, 17]),
    shift=st.integers(-9000, 9000),
    dtype=st.sampled_from(["f4", "f8", "i4"]),
)
def test_result_is_independent_of_gain_and_offset(around, image, gain, shift, dtype):
    shift = shift * 4
    gain = max(1, int(gain)) if dtype == "i4" else gain
    expected = normalised(image, around)
    brighter = (image.astype(np.float64) * gain + shift).astype(dtype)
    np.testing.assert_allclose(normalised(brighter, around), expected, atol=1e-4)
    negative = (image.astype(np.float64) * -gain + shift).astype(dtype)
    np.testing.assert_allclose(normalised(negative, around), -expected, atol=1e-4)


@AROUND
@settings(max_examples=60, deadline=None)
@given(image=arrays.arrays(np.uint8, (9, 11)))
def test_values_are_bounded(around, image):
    applied = normalised(image, around)
    assert applied.dtype == np.float32
    assert applied.shape == image.shape
    assert np.isfinite(applied).all()
    assert np.abs(applied).max() <= 3
    if around == "around_median":
        assert np.median(applied) == 0


def test_the_median_or_the_middle_is_0_and_the_farthest_percentile_1():
    image = np.repeat(np.array([100, 140, 400], "u2"), [9, 82, 9])
    assert np.unique(normalised(image, "around_median")) == pytest.approx([-40 / 260, 0, 1])
    assert np.unique(normalised(image, "around_middle")) == pytest.approx([-1, -110 / 150, 1])


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "f4"])
@pytest.mark.parametrize("ends", [(0,), (255,), (0, 255)])
def test_the_levels_are_those_of_the_field_within_a_constant_surround(dtype, ends):
    field = np.random.default_rng(0).integers(90, 160, (40, 50)).astype(dtype)
    image = np.pad(field, 30)
    for row, end in zip((slice(30), slice(-30, None)), (*ends, ends[-1]), strict=False):
        image[row] = end
    image[30:-30, :30] = image[30:-30, -30:] = ends[0]
    assert levels_of(image) == levels_of(field)
    low, high = np.percentile(image, [0.1, 99.9])
    whole = levels_of(image, InputName.MEDIAN.surround)
    assert (whole.low, whole.high) == pytest.approx((low, high))


@pytest.mark.parametrize("share", [0.09, 0.11])
def test_a_tenth_of_the_pixels_make_a_surround(share):
    image = np.random.default_rng(0).uniform(10, 20, 1000).astype("f4")
    image[: int(share * 1000)] = 50
    assert (levels_of(image).high < 21) == (share > 0.1)


def test_a_plane_of_two_grey_levels_keeps_its_contrast():
    assert levels_of(np.repeat([0, 255], [70, 30]).astype("u1")).around_middle.scale == 127.5


@pytest.mark.parametrize("share", [0.0005, 0.02, 0.2])
@pytest.mark.parametrize("ends", [(0, 255), (255, 0)])
@pytest.mark.parametrize("stray", [0, 1])
def test_flat_beads_on_a_flat_background_keep_their_contrast(share, ends, stray):
    image = np.full(100_000, ends[0], "u1")
    image[: int(share * image.size)] = ends[1]
    # A hot pixel is not the contrast of the beads that are left without the background.
    image[-1 - stray : -1] = 7
    values = normalised(image, "around_middle")
    sign = 1 if ends[1] else -1
    assert min(sign * values[0], -sign * values[-1]) == 1


@pytest.mark.parametrize("dark", [False, True])
def test_two_beads_on_a_clipped_background_are_seen_in_a_large_field(dark):
    image = np.zeros((600, 600), "u1")
    y, x = np.mgrid[:600, :600]
    for centre in (100, 400):
        image += np.uint8(200) * (np.hypot(y - centre, x - centre) < 5) + np.uint8(9) * (y == centre)
    image = 255 - image if dark else image
    middle = levels_of(image).around_middle
    assert abs(middle.scaled(image[100:101, 100:101])[0, 0]) == pytest.approx(1, abs=0.1)


def test_a_normalised_image_has_its_own_values():
    image = np.random.default_rng(0).normal(size=(9, 9)).astype("f4")
    np.testing.assert_array_equal(NORMALISED.around_middle.scaled(image), image)


@AROUND
def test_large_offset_of_wide_dtype_keeps_the_contrast(around):
    small = np.random.default_rng(0).integers(0, 50, (40, 40))
    expected = normalised(small, around)
    for dtype in ("u4", "i4", "f8", "i8"):
        image = small.astype(dtype) + np.array(2_000_000_000, dtype)
        np.testing.assert_allclose(normalised(image, around), expected, atol=1e-6)


@AROUND
def test_missing_values_become_0(around):
    rng = np.random.default_rng(0)
    image = rng.normal(size=(50, 50)).astype("f4")
    holed = np.concatenate([image, np.array([[np.nan, np.inf, -np.inf] + [np.nan] * 47], "f4")])
    assert levels_of(holed) == levels_of(image)
    applied = normalised(holed, around)
    assert not applied[-1].any()
    np.testing.assert_array_equal(applied[:-1], normalised(image, around))


@AROUND
@pytest.mark.parametrize(
    "image",
    [np.full((9, 9), 7, "u1"), np.full((9, 9), np.nan, "f4"), np.zeros((9, 9), bool), np.full((9, 9), 1e30)],
)
def test_blank_plane_becomes_0(around, image):
    applied = normalised(image, around)
    assert applied.dtype == np.float32
    assert not applied.any()


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("share", [0.005, 0.05, 0.5])
def test_numbers_that_nobody_measures_are_refused_where_they_are_part_of_the_range(dtype, share):
    """As they stand for missing values, or fill a plane of two levels: no scale shows beads beside them."""
    image = np.random.default_rng(0).normal(100, 9, (40, 50)).astype(dtype)
    image.ravel()[: int(share * image.size)] = -0.9 * np.finfo(dtype).max
    image.ravel()[-int(share * image.size) :] = 0.9 * np.finfo(dtype).max
    if share == 0.05:
        # As a surround they are left out.
        assert levels_of(image, 0.04) == levels_of(image.ravel()[100:-100], 0.04)
    with pytest.raises(ImageError, match=r"has grey levels beyond 1e\+30; set pixels without a value to NaN"):
        levels_of(image)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_invalid_scale_gives_0(scale):
    assert not Normalisation(3.0, scale).scaled(np.arange(9.0)).any()


@pytest.mark.parametrize("layout", [{}, {"tile": (16, 16)}, {"rowsperstrip": 3, "compression": "zlib"}])
def test_plane_is_measured_like_its_array(tmp_path, layout):
    image = np.random.default_rng(5).integers(0, 4000, (90, 70), dtype="u2")
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, **layout)
    with open_image(path).planes[0].open() as pixels:
        assert measure_levels(pixels) == levels_of(image)


@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_large_plane_is_sampled_from_end_to_end(monkeypatch, dtype):
    y, x = np.mgrid[:1000, :300]
    image = (y * 3 + x + np.random.default_rng(0).normal(0, 20, y.shape) + 100).astype(dtype)
    monkeypatch.setattr(RecordingPixels, "sizes", [], raising=False)
    measured = measure_levels(RecordingPixels(image), max_exact=20_000)
    assert sum(RecordingPixels.sizes) <= 20_000
    low, middle, high = by_numpy(image)
    assert measured.median == pytest.approx(middle, rel=0.03)
    assert measured.high - measured.median == pytest.approx(high - middle, rel=0.05)
    assert measured.median - measured.low == pytest.approx(middle - low, rel=0.05)
    assert measure_levels(InMemory(image), max_exact=20_000) == measured


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "f4"])
@pytest.mark.parametrize("ground", [0, 255])
@pytest.mark.parametrize("stray", [0, 1])
def test_beads_between_the_bands_of_a_large_plane_keep_their_contrast(dtype, ground, stray):
    image = np.full((1000, 300), ground, dtype)
    between = np.ones(1000, bool)
    for band in sample_bands(*image.shape, 20_000):
        between[band.top : band.bottom] = False
    row = int(np.flatnonzero(between)[0])
    image[row : row + 9, 40:49] = image[row + 2 : row + 9, 90:94] = 130
    # A stray pixel in a band is not the contrast of the beads.
    image[0, :stray] = 120
    around = measure_levels(InMemory(image), max_exact=20_000).around_middle
    seen_ground, bead = clipped(around.scaled(np.array([ground, 130], dtype)))
    assert abs(bead - seen_ground) > 1.9


def test_a_field_between_the_bands_is_measured_by_so_many_rows_as_are_allowed():
    """A surround in all bands: the levels are those of the field, and memory has a bound."""
    rng = np.random.default_rng(0)
    image = np.full((4000, 200), np.nan, "f4")
    bands = sample_bands(*image.shape, 16_000)
    field = image[bands[3].bottom : bands[4].top]
    field[:] = rng.normal(500, 20, field.shape)
    assert field.size > 3 * 16_000
    measured = measure_levels(InMemory(image), max_exact=16_000)
    low, middle, high = by_numpy(field)
    assert (measured.low, measured.median, measured.high) == pytest.approx((low, middle, high), rel=0.02)


def test_a_large_plane_of_one_grey_level_is_read_once_more_and_has_no_contrast():
    levels = measure_levels(InMemory(np.full((1000, 300), 7, "u1")), max_exact=20_000)
    assert (levels.low, levels.median, levels.high) == (7, 7, 7)


@given(height=st.integers(2, 60_000), width=st.integers(1, 400_000), budget=st.sampled_from([10_000, 2**24]))
def test_bands_lie_inside_within_the_budget(height, width, budget):
    assume(height * width > budget)
    bands = sample_bands(height, width, budget)
    assert all(b.is_inside(height, width) and b.left == 0 and b.width == width for b in bands)
    assert bands[0].top == 0
    assert bands[-1].bottom == height
    assert sum(b.height for b in bands) <= max(budget // width, 2)
    assert len({b.top for b in bands}) == len(bands)


@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_8_and_16_bits_are_measured_in_milliseconds(dtype):
    image = np.random.default_rng(0).integers(0, 255, (1024, 1024)).astype(dtype)
    levels_of(image)
    seconds = []
    for _ in range(5):
        start = time.process_time()
        levels_of(image)
        seconds.append(time.process_time() - start)
    # Sorting takes about 60 ms, counting 2 ms; the limit allows for a busy machine.
    assert min(seconds) < 0.02
