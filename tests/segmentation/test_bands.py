"""Planes are measured in bands of rows: the bands change nothing, to the last bit, and bound the memory."""

import contextlib
from functools import partial

import numpy as np
import pytest
from helpers import whole_plane
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from beadctl import scratch
from beadctl.images import Normalisation, saturated_pixels
from beadctl.segmentation import artefacts, half_contrast, intensity, touching
from beadctl.segmentation.intensity import RingLimits
from beadctl.segmentation.measure import measure
from beadctl.segmentation.runs import boxes

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=24)
LABELS = hnp.arrays(np.uint32, SHAPES, elements=st.sampled_from((0, 0, 0, 1, 2, 7)))
# From one row at a time to the whole plane.
BANDS_PX = st.sampled_from((1, 30, 50, 75, 120, 200, 10_000))
DTYPES = st.sampled_from(("u1", "u2", "i4", "f4", "f8", "?"))


@contextlib.contextmanager
def in_bands(px, batch_px=2**21):
    """Read planes in bands of some pixels, with files for planes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scratch, "bands", partial(scratch.bands, px=px))
        patch.setattr(scratch, "zeros", partial(scratch.zeros, most_bytes=0))
        patch.setattr(intensity, "LIMITS", RingLimits(batch_px=batch_px))
        yield


def mapped(plane):
    """A plane as a file."""
    array = scratch.zeros(plane.shape, plane.dtype, most_bytes=0)
    array[...] = plane
    return array


def assert_measures_as_whole(labels, rng, dtype, px, batch_px, turned=False):
    image = rng.normal(200, 60, labels.shape).astype(dtype)
    probability, marker = (rng.integers(0, 256, labels.shape).astype(np.uint8) for _ in "ab")
    planes = [plane.T if turned else plane for plane in (labels, image, probability, marker)]
    expected = whole_plane.measured(*planes)
    with in_bands(px, batch_px):
        table = measure(*(mapped(plane.T).T if turned else mapped(plane) for plane in planes))
    for name, column in expected.items():
        np.testing.assert_array_equal(getattr(table, name), column, err_msg=name)


@settings(max_examples=150)
@given(
    labels=LABELS,
    random=st.integers(0, 2**32),
    dtype=DTYPES,
    px=BANDS_PX,
    batch_px=st.sampled_from((1, 200, 2**21)),
    turned=st.booleans(),
)
def test_any_label_image(labels, random, dtype, px, batch_px, turned):
    assert_measures_as_whole(labels, np.random.default_rng(random), dtype, px, batch_px, turned)


@settings(max_examples=20)
@given(
    random=st.integers(0, 2**32),
    sigma=st.floats(1, 9),
    px=st.sampled_from((150, 1000, 4000, 10**6)),
    batch_px=st.sampled_from((100, 3000, 2**21)),
)
def test_blobs_in_any_order(random, sigma, px, batch_px):
    rng = np.random.default_rng(random)
    blobs = ndimage.gaussian_filter(rng.normal(size=(120, 150)), sigma)
    labels, count = ndimage.label(blobs > blobs.std() / 2)
    numbers = np.append(0, rng.permutation(count) + 1).astype(np.uint32)
    # A cut through the beads, so that many touch.
    labels = numbers[labels] + count * (np.arange(150) > 70) * (labels > 0)
    assert_measures_as_whole(labels.astype(np.uint32), rng, "f4", px, batch_px)


@given(
    labels=LABELS,
    top=st.sampled_from((255, 1023, 65535, 65472, 65520, 65532, 17)),
    low_bits=st.booleans(),
    dtype=st.sampled_from(("u2", "i4", "f4")),
    px=BANDS_PX,
)
def test_the_top_grey_level(labels, top, low_bits, dtype, px):
    """Also where only one band reaches it, or uses the bits below it."""
    one = np.where(labels == 7, top, 64).astype(dtype)
    other = np.where(labels == 2, top - low_bits, 128).astype(dtype)
    expected = whole_plane.saturated_pixels([one, other])
    of_beads = whole_plane.measured(labels, one, *[labels.astype(np.uint8)] * 2)["saturated"]
    with in_bands(px):
        np.testing.assert_array_equal(saturated_pixels([one, other]), expected)
        np.testing.assert_array_equal(measure(labels, one).saturated, of_beads)
        np.testing.assert_array_equal(
            measure(labels, one, saturated=expected).saturated,
            whole_plane.measured(labels, one, *[labels.astype(np.uint8)] * 2, expected)["saturated"],
        )


@pytest.mark.parametrize("rows", [slice(0, 1), slice(20, 21), slice(0, 39)])
def test_values_that_are_no_numbers_hide_the_top_level_in_no_band(rows):
    image = np.full((40, 3), 255, np.float32)
    image[rows] = np.nan
    with in_bands(6):
        np.testing.assert_array_equal(saturated_pixels([image]), ~np.isnan(image))
        assert not saturated_pixels([0 * image]).any()


@given(labels=LABELS, px=BANDS_PX)
def test_pairs_over_the_border_of_bands(labels, px):
    with in_bands(px):
        np.testing.assert_array_equal(touching.pairs(labels), whole_plane.pairs(labels))


@given(labels=LABELS, px=BANDS_PX)
def test_boxes_are_those_of_scipy(labels, px):
    present = np.unique(labels[labels > 0])
    expected = ndimage.find_objects(labels.astype(np.int64))
    for chosen in (present, present[1:]):
        with in_bands(px):
            assert boxes(labels, chosen) == [expected[label - 1] for label in chosen]


def test_a_row_whose_moments_need_more_than_32_bits():
    width = 150_000
    labels = np.ones((3, width), np.uint32)
    table = measure(labels)
    assert table.x_px[0] == (width - 1) / 2
    assert table.major_axis_px[0] == pytest.approx(4 * np.sqrt((width**2 - 1) / 12), rel=1e-12)


def spread_beads(rng, count, side=160):
    """Blurred beads of one kind, alone and in pairs, of which each component is one label; and the light."""
    y, x = np.mgrid[:side, :side]
    light = np.zeros((side, side))
    for row in range(count):
        for column in range(6):
            centre = 14 + 22 * row + rng.uniform(-1, 1), 14 + 24 * column + rng.uniform(-1, 1)
            for shift in (0, 5) if rng.random() < 0.15 else (0,):
                light += 1 / (1 + np.exp(2 * (np.hypot(y - centre[0], x - centre[1] - shift) - 4.5)))
    return ndimage.label(light > 0.5)[0].astype(np.uint32), light


@settings(max_examples=25)
@given(
    random=st.integers(0, 2**32),
    count=st.integers(1, 6),
    px=st.sampled_from((1, 500, 3000)),
    dark=st.booleans(),
)
def test_artefacts(random, count, px, dark):
    rng = np.random.default_rng(random)
    labels, light = spread_beads(rng, count)
    # A grain of noise, and another label, so that numbers have no order of place.
    labels[150, 150:152] = labels.max() + 1
    image = np.rint(30_000 * np.exp(-0.6 * light) if dark else 2_000 + 9_000 * light).astype(np.uint16)
    table = measure(labels, image, *[np.where(labels, 250, 0).astype(np.uint8)] * 2)
    gone = artefacts.artefacts(labels, image, table)
    planes = mapped(labels), mapped(image)
    with in_bands(px):
        np.testing.assert_array_equal(artefacts.artefacts(*planes, table), gone)
    np.testing.assert_array_equal(planes[0], labels)


@settings(max_examples=40)
@given(
    random=st.integers(0, 2**32),
    sigma=st.floats(2, 6),
    height=st.sampled_from((1.0, 5.0, -20.0)),
    px=st.sampled_from((1, 200, 1000, 10**6)),
)
def test_outlines_at_half_of_the_contrast(random, sigma, height, px):
    rng = np.random.default_rng(random)
    blobs = ndimage.gaussian_filter(rng.normal(size=(70, 90)), sigma)
    labels, count = ndimage.label(blobs > blobs.std())
    labels = np.append(0, rng.permutation(3 * count)[:count] + 1).astype(np.uint32)[labels]
    image = height * blobs / blobs.std() * rng.choice((1, 4), labels.shape, p=(0.9, 0.1))
    by = Normalisation(0.0, 1.0)
    expected = whole_plane.at_half_contrast(labels, image, by)
    planes = mapped(labels), mapped(image)
    with in_bands(px):
        np.testing.assert_array_equal(half_contrast.at_half_contrast(*planes, by), expected)
    np.testing.assert_array_equal(planes[0], labels)
