"""The outline of a bead that stands far out of the range of its plane."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from beadctl.images import Normalisation
from beadctl.segmentation.half_contrast import at_half_contrast

OUT_OF_RANGE = Normalisation(0.0, 1.0)
Y, X = np.mgrid[:60, :60]


def bead(radius_px, blur_px, height, y=30.0, x=30.0):
    disc = np.clip(radius_px + 0.5 - np.hypot(Y - y, X - x), 0, 1)
    return height * ndimage.gaussian_filter(disc, blur_px)


@given(
    st.floats(4, 12),
    st.floats(0.5, 2),
    st.floats(-1, 1),
    st.sampled_from([100.0, -100.0]),
    st.floats(-500, 500),
)
def test_the_outline_lies_at_half_of_the_contrast(radius_px, blur_px, shift, height, background):
    """Whatever the number that the plane has where no bead is."""
    image = background + bead(radius_px, blur_px, height, y=30 + shift, x=30 - shift)
    labels = (np.hypot(Y - 30, X - 30) <= radius_px + 2).astype(np.uint32)
    found = at_half_contrast(labels, image, Normalisation(background, 1.0))
    diameter_px = np.sqrt(4 / np.pi * found.sum())
    assert diameter_px == pytest.approx(2 * radius_px, abs=0.04 * 2 * radius_px + 0.5)
    assert not (found & ~(labels > 0)).any()


def test_beads_within_the_range_are_left_as_they_are():
    labels = (np.hypot(Y - 30, X - 30) <= 12).astype(np.uint32)
    for image in (bead(10, 1, 2.5), bead(10, 1, -2.5)):
        np.testing.assert_array_equal(at_half_contrast(labels, image, OUT_OF_RANGE), labels)


def test_beads_that_touch_keep_their_border():
    image = bead(7, 1, 100, x=22) + bead(7, 1, 100, x=37)
    labels = np.zeros(image.shape, np.uint32)
    labels[(np.hypot(Y - 30, X - 22) <= 9) & (X < 30)] = 1
    labels[(np.hypot(Y - 30, X - 37) <= 9) & (X >= 30)] = 2
    found = at_half_contrast(labels, image, OUT_OF_RANGE)
    assert (found[:, :30] != 2).all()
    assert (found[:, 30:] != 1).all()
    assert np.sqrt(4 / np.pi * np.bincount(found.ravel())[1:]) == pytest.approx([14, 14], abs=0.7)


@pytest.mark.parametrize("missing", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("columns", [[15], [30], [26, 30, 34]])
def test_pixels_without_a_value_beside_and_in_a_bead_change_its_outline_little(columns, missing):
    image = bead(8, 1, 100)
    labels = (np.hypot(Y - 30, X - 30) <= 12).astype(np.uint32)
    whole = at_half_contrast(labels, image, OUT_OF_RANGE)
    image[:, columns] = missing
    found = at_half_contrast(labels, image, OUT_OF_RANGE)
    others = ~np.isin(np.arange(60), columns)
    np.testing.assert_array_equal(found[:, others], whole[:, others])


def test_a_bead_without_background_keeps_its_outline():
    labels = np.ones((20, 20), np.uint32)
    image = np.full((20, 20), 50.0)
    np.testing.assert_array_equal(at_half_contrast(labels, image, OUT_OF_RANGE), labels)
