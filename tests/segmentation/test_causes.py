"""What may be the cause of doubt about a plane."""

import numpy as np
import pytest
from helpers.images import discs
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from beadctl.segmentation.causes import Cause, blur_px, causes, noise
from beadctl.segmentation.measure import measure

SIDE = 200


def picture(blur=1.0, contrast=100.0, sigma=5.0, radius_px=9, seed=0):
    """Bright discs of one size, blurred and with noise; float32, and their labels."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    labels = np.zeros((SIDE, SIDE), np.uint32)
    number = 0
    for y in range(25, SIDE - 20, 40):
        for x in range(25, SIDE - 20, 40):
            number += 1
            labels[(rows - y) ** 2 + (columns - x) ** 2 <= radius_px**2] = number
    signal = ndimage.gaussian_filter((labels > 0) * contrast, blur)
    rng = np.random.default_rng(seed)
    return (1000 + signal + rng.normal(0, sigma, signal.shape)).astype(np.float32), labels


def found(image, labels, **more):
    return set(causes(measure(labels, image, saturated=more.pop("saturated", None)), labels, image, **more))


def test_a_good_picture_has_none():
    assert found(*picture()) == set()


def test_low_contrast_is_that_over_the_noise():
    assert found(*picture(contrast=10.0)) == {Cause.LOW_CONTRAST}
    assert found(*picture(contrast=10.0, sigma=0.5)) == set()


def test_wide_edges_are_out_of_focus():
    assert found(*picture(blur=4.5)) == {Cause.OUT_OF_FOCUS}


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["beads", "rows", "area"])
@pytest.mark.parametrize(
    ("how", "cause"),
    [({"contrast": 10.0}, Cause.LOW_CONTRAST), ({"blur": 4.5}, Cause.OUT_OF_FOCUS), ({}, None)],
)
@pytest.mark.filterwarnings("error")
def test_pixels_without_a_value_hide_no_cause(how, cause, where, number):
    image, labels = picture(**how)
    if where == "beads":
        first = np.unique(labels, return_index=True)[1][1:]
        image.ravel()[first + 9 * SIDE] = number
    elif where == "rows":
        image[::10] = number
    else:
        image[:50, :120] = number
    assert found(image, labels) == ({cause} if cause else set())


def test_small_saturated_and_large_objects_are_said():
    image, labels = picture(radius_px=2)
    assert Cause.SMALL_BEADS in found(image, labels)
    image, labels = picture()
    assert Cause.SATURATED in found(image, labels, saturated=labels > 0)
    assert found(image, labels, has_larger=True) == {Cause.LARGE_OBJECTS}


def test_more_artefacts_than_beads_are_said():
    image, labels = picture()
    beads = int(labels.max())
    assert found(image, labels, artefacts=beads + 1) == {Cause.ARTEFACTS}
    assert found(image, labels, artefacts=beads) == set()


def test_touching_beads_are_dense():
    image, labels = picture()
    assert Cause.DENSE in found(image, ndimage.grey_dilation(labels, size=25).astype(np.uint32))


@pytest.mark.parametrize("level", [0, 65535])
def test_a_surround_is_one_value_beside_the_field(level):
    image, labels = picture()
    image = np.clip(image, 1, 60000).astype(np.uint16)
    image[:, :40] = level
    labels[:, :40] = 0
    assert Cause.SURROUND in found(image, labels)
    assert Cause.SURROUND not in found(image[:, 40:], labels[:, 40:])
    image = image.astype(np.float32)
    image[9], image[3, 60] = np.nan, np.inf
    assert Cause.SURROUND in found(image, labels)
    assert Cause.SURROUND not in found(image[:, 40:], labels[:, 40:])


def test_no_pixel_and_pixels_that_are_no_numbers_have_no_cause():
    nothing = np.zeros((4, 4), np.uint32)
    assert found(np.full((4, 4), np.nan), nothing) == set()
    assert found(np.full((1, 4), 7), nothing[:1]) == set()
    image, labels = discs(4)
    image = image.astype(np.float32)
    image[3, 3], image[5, 5] = np.nan, np.inf
    assert Cause.LOW_CONTRAST not in found(image, labels)


@given(st.floats(0.5, 300), st.floats(-5, 5), st.integers(0, 9))
def test_noise_is_told_from_slopes(sigma, slope, seed):
    rows, columns = np.mgrid[:90, :90]
    plane = slope * sigma * (rows - 2 * columns) + np.random.default_rng(seed).normal(0, sigma, (90, 90))
    assert noise(plane) == pytest.approx(sigma, rel=0.06)


@given(st.floats(1.0, 5.0))
def test_blur_is_that_of_the_edges(blur):
    image, labels = picture(blur=blur, sigma=0.0, radius_px=14)
    assert blur_px(labels, image, 100.0) == pytest.approx(blur, rel=0.25, abs=0.3)
