"""Intensities of beads and of the background around them, against scikit-image and a distance transform."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from skimage.measure import regionprops

from beadctl.segmentation import intensity
from beadctl.segmentation.intensity import RingLimits
from beadctl.segmentation.measure import measure

LABELS = hnp.arrays(
    np.uint32,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=24),
    elements=st.sampled_from((0, 0, 0, 1, 2, 7)),
)
DTYPES = st.sampled_from(("u1", "u2", "u4", "i2", "i8", "f4", "f8", "?"))


def assert_equals_skimage(labels, image):
    table = measure(labels, image, pixel_size_um=0.5)
    near = ndimage.binary_dilation(labels > 0, np.ones((3, 3), bool))
    beads = regionprops(labels.astype(np.int64), image)
    assert len(table) == len(beads)
    for row, bead in enumerate(beads):
        own = image[labels == bead.label].astype(np.float64)
        assert table.min_intensity[row] == bead.intensity_min
        assert table.max_intensity[row] == bead.intensity_max
        assert table.median_intensity[row] == pytest.approx(np.median(own), rel=1e-12)
        assert table.integrated_intensity[row] == pytest.approx(own.sum(), rel=1e-9, abs=1e-6)
        assert (table.y_um[row], table.x_um[row]) == pytest.approx(np.multiply(bead.centroid, 0.5))
        reach = max(5, bead.equivalent_diameter_area / 4)
        around = (ndimage.distance_transform_edt(labels != bead.label) <= reach) & ~near
        if around.any():
            wanted = np.median(image[around].astype(np.float64))
            assert table.local_background[row] == pytest.approx(wanted, rel=1e-12)
        else:
            assert np.isnan(table.local_background[row])


@settings(max_examples=120)
@given(labels=LABELS, dtype=DTYPES, random=st.integers(0, 2**32))
def test_any_label_image(labels, dtype, random):
    image = np.random.default_rng(random).normal(100, 30, labels.shape).astype(dtype)
    assert_equals_skimage(labels, image)


@settings(max_examples=15)
@given(random=st.integers(0, 2**32), sigma=st.floats(1, 9), batch_px=st.sampled_from((1, 3000, 2**21)))
def test_blobs_of_any_size_measured_in_any_batches(random, sigma, batch_px):
    rng = np.random.default_rng(random)
    blobs = ndimage.gaussian_filter(rng.normal(size=(120, 150)), sigma)
    labels = ndimage.label(blobs > blobs.std())[0].astype(np.uint32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intensity, "LIMITS", RingLimits(batch_px=batch_px))
        assert_equals_skimage(labels, rng.integers(0, 60000, labels.shape).astype(np.uint16))


def test_background_is_that_of_the_place_and_not_of_the_neighbours():
    rows, columns = np.indices((60, 100))
    labels = np.zeros(rows.shape, np.uint32)
    for label, x in enumerate((15, 29, 80), start=1):
        labels[np.hypot(rows - 30, columns - x) <= 6] = label
    shade = 100 + columns
    image = np.where(labels > 0, 5000, shade).astype(np.float32)
    table = measure(labels, image)
    np.testing.assert_allclose(table.local_background, table.x_px + 100, atol=3)


def test_unknown_is_none():
    labels = np.zeros((9, 9), np.uint32)
    labels[4, 4] = 1
    names = ("min_intensity", "max_intensity", "median_intensity", "integrated_intensity", "local_background")
    (row,) = measure(labels).rows()
    assert [row[name] for name in (*names, "y_um", "x_um")] == [None] * 7
    (row,) = measure(np.ones((9, 9), np.uint32), np.full((9, 9), 7)).rows()
    assert [row[name] for name in names] == [7, 7, 7, 567, None]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("broken", [(np.nan, 3), (np.inf, 3), (-np.inf, 3), (-np.inf, np.inf)])
def test_pixels_without_a_value_spoil_only_their_own_bead(broken):
    labels = np.zeros((30, 60), np.uint32)
    labels[10:20, 10:20], labels[10:20, 40:50] = 1, 2
    image = np.full(labels.shape, 3.0)
    image[10:20:2, 10:20], image[11:20:2, 10:20] = broken
    image[12, 39] = image[12, 37] = np.nan
    table = measure(labels, image)
    for column in (table.min_intensity, table.median_intensity, table.max_intensity):
        assert np.isnan(column[0])
        assert column[1] == 3
    assert table.local_background.tolist() == [3, 3]
