"""Augmentation keeps image and labels together; targets agree with their definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from beadctl.training.augment import Augmentation, augmented, crop, move, shade
from beadctl.training.targets import NEAR_PX, contacts, targets

seeds = st.integers(0, 2**32 - 1)


def discs(seed, shape=(72, 88), count=12, radius=(3, 9)):
    """Label image of discs, later ones in front."""
    rng = np.random.default_rng(seed)
    y, x = np.indices(shape)
    labels = np.zeros(shape, np.int32)
    for number in range(1, count + 1):
        cy, cx, r = rng.uniform(0, shape[0]), rng.uniform(0, shape[1]), rng.uniform(*radius)
        labels[(y - cy) ** 2 + (x - cx) ** 2 <= r * r] = number
    return labels


@settings(max_examples=40, deadline=None)
@given(seed=seeds, size=st.integers(8, 120), axis=st.integers(0, 1))
def test_geometry_moves_image_and_labels_together(seed, size, axis):
    """On a ramp, interpolation gives the coordinate and the nearest label the rounded coordinate."""
    labels = np.indices((72, 88), np.int32)[axis]
    seen, named, _ = move(
        labels.astype(np.float32), labels, size, np.random.default_rng(seed), Augmentation()
    )
    assert seen.shape == named.shape == (size, size)
    assert seen.dtype == np.float32
    assert named.dtype == labels.dtype
    assert np.abs(seen - named).max() <= 0.5 + 1e-4


@settings(max_examples=20, deadline=None)
@given(seed=seeds, size=st.integers(8, 120))
def test_labels_are_those_given(seed, size):
    labels = 1000 * discs(seed)
    image = np.zeros(labels.shape, np.float32)
    _, named, _ = move(image, labels, size, np.random.default_rng(seed), Augmentation())
    assert set(np.unique(named)) <= set(np.unique(labels))


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_views_without_resampling_keep_every_pixel_value(seed):
    rng = np.random.default_rng(seed)
    labels = np.arange(40 * 50, dtype=np.int32).reshape(40, 50)
    image = labels.astype(np.float32)
    seen, named, _ = move(image, labels, 32, rng, Augmentation(warp_probability=0))
    assert np.array_equal(seen, named)
    assert len(np.unique(named)) == 32 * 32


def test_scale_and_turn_stay_in_range():
    """The transformation is recovered from a warped ramp in y and one in x."""
    y, x = np.indices((400, 400)).astype(np.float32)
    nothing = np.zeros((400, 400), np.int32)
    scales, angles = [], []
    for seed in range(60):
        augmentation = Augmentation(warp_probability=1)
        a, *_ = move(y, nothing, 32, np.random.default_rng(seed), augmentation)
        b, *_ = move(x, nothing, 32, np.random.default_rng(seed), augmentation)
        jacobian = np.array([[(m[20, 16] - m[10, 16]) / 10, (m[16, 20] - m[16, 10]) / 10] for m in (a, b)])
        scales.append(1 / np.sqrt(abs(np.linalg.det(jacobian))))
        angles.append(np.rad2deg(np.arctan2(jacobian[1, 0], jacobian[0, 0])) % 90)
    assert 0.7 - 1e-3 <= min(scales) < 0.8
    assert 1.25 < max(scales) <= 1.4 + 1e-3
    off = np.minimum(angles, 90 - np.array(angles))
    assert 10 < off.max() <= 20 + 0.1


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_polarity_alone(probability):
    image = np.random.default_rng(0).normal(0, 0.5, (16, 16)).astype(np.float32)
    only = Augmentation(
        polarity_probability=probability, contrast=(1, 1), gamma=(1, 1), offset=0, noise=0, blur_probability=0
    )
    expected = -image if probability else image
    np.testing.assert_allclose(shade(image, np.random.default_rng(1), only), expected, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(image=hnp.arrays(np.float32, (12, 12), elements=st.floats(-3, 3, width=32)), seed=seeds)
def test_shades_are_finite_and_leave_the_image_alone(image, seed):
    before = image.copy()
    shaded = shade(image, np.random.default_rng(seed), Augmentation(noise=1.0, blur_probability=0.5))
    assert shaded.dtype == np.float32
    assert np.isfinite(shaded).all()
    assert np.array_equal(image, before)


def test_equal_seeds_give_equal_views():
    labels = discs(3)
    image = labels.astype(np.float32) / 12
    a, b, c = (augmented(image, labels, 40, np.random.default_rng(s), Augmentation()) for s in (5, 5, 6))
    assert np.array_equal(a[0], b[0])
    assert np.array_equal(a[1], b[1])
    assert not np.array_equal(a[0], c[0])


@pytest.mark.parametrize("shape", [(10, 50), (50, 10), (3, 3), (16, 16)])
def test_small_images_are_mirrored_to_size(shape):
    image = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    seen, named, inside = crop(image, image.astype(np.int32), 16, np.random.default_rng(0))
    assert seen.shape == (16, 16)
    assert np.array_equal(seen, named)
    # Exactly the pixels of the image are inside; all others are mirrored.
    assert inside.sum() == np.prod(np.minimum(shape, 16))
    # Mirrored without repeating the edge: neighbours always differ.
    assert (np.diff(seen, axis=0) != 0).all()
    assert (np.diff(seen, axis=1) != 0).all()


@settings(max_examples=40, deadline=None)
@given(seed=seeds, size=st.integers(8, 120), shape=st.tuples(st.integers(5, 90), st.integers(5, 90)))
def test_pixels_inside_are_those_of_the_image(seed, size, shape):
    """A pixel is seen as often as the largest scale shows it; with its mirrored copies more often."""
    labels = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
    image, rng = labels.astype(np.float32), np.random.default_rng(seed)
    _, named, inside = move(image, labels, size, rng, Augmentation(warp_probability=1))
    assert inside.any()
    assert np.bincount(named[inside]).max() <= np.ceil(1.4) ** 2
    _, named, inside = crop(image, labels, size, rng)
    assert np.bincount(named[inside]).max() == 1
    assert inside.sum() == np.prod(np.minimum(shape, size))


def distance_by_hand(labels):
    """Distance of every bead pixel to the nearest pixel of another label."""
    places = np.argwhere(np.ones_like(labels))
    result = np.zeros(labels.shape)
    for y, x in np.argwhere(labels > 0):
        others = places[labels.ravel() != labels[y, x]]
        result[y, x] = np.hypot(others[:, 0] - y, others[:, 1] - x).min() if len(others) else np.inf
    return result


@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_marker_rises_with_the_distance_to_the_own_edge(seed):
    labels = discs(seed, (26, 30), 6, (1.5, 7))
    foreground, peaks = targets(labels)
    assert np.array_equal(foreground, labels > 0)
    assert (peaks[labels == 0] == 0).all()
    exact = distance_by_hand(labels)
    for number in np.unique(labels[labels > 0]):
        mine = labels == number
        assert peaks[mine].min() > 0
        assert peaks[mine].max() == 1
        # One step to the rim plus the rim's own step is at most 1 px off the straight way.
        deepest = exact[mine].max()
        np.testing.assert_allclose(peaks[mine], exact[mine] / deepest, atol=1.5 / deepest)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, apart=st.sampled_from([1, 7, 1 << 24]))
def test_marker_is_the_distance_of_scipy_whatever_the_numbers_of_the_beads(seed, apart):
    labels = discs(seed, (26, 30), 6, (1.5, 7))
    edge = np.pad(labels, 1, mode="edge")
    rim = np.zeros(labels.shape, bool)
    for y, x in ((0, 1), (2, 1), (1, 0), (1, 2)):
        rim |= edge[y : y + 26, x : x + 30] != labels
    depth = ndimage.distance_transform_edt(~(rim & (labels > 0))) + 1
    _, peaks = targets(labels * apart)
    for number in np.unique(labels[labels > 0]):
        mine = labels == number
        assert np.array_equal(peaks[mine], (depth[mine] / depth[mine].max()).astype(np.float32))


def test_marker_of_a_disc_peaks_in_its_middle_and_touching_beads_have_separate_peaks():
    labels = np.zeros((21, 40), np.int32)
    y, x = np.indices(labels.shape)
    labels[(y - 10) ** 2 + (x - 10) ** 2 <= 81] = 1
    labels[(y - 10) ** 2 + (x - 29) ** 2 <= 90] = 2
    _, peaks = targets(labels)
    assert peaks[10, 10] == peaks[10, 29] == 1
    assert peaks[10, 10:30].min() < 0.2


def test_tiny_beads_have_a_peak():
    labels = np.zeros((9, 20), np.int32)
    labels[4, 2] = 1
    labels[3:6, 6:9] = 2
    labels[4, 12:15] = 3
    _, peaks = targets(labels)
    assert peaks[4, 2] == 1
    assert peaks[4, 7] == 1
    assert (peaks[3:6, 6:9] > 0).all()
    assert (peaks[4, 12:15] == 1).all()


def test_the_images_border_is_no_edge():
    """Half a disc at the border has the marker of half of the whole disc."""
    y, x = np.indices((41, 41))
    whole = ((y - 20) ** 2 + (x - 20) ** 2 <= 100).astype(np.int32)
    _, of_whole = targets(whole)
    _, of_half = targets(whole[20:])
    np.testing.assert_allclose(of_half, of_whole[20:], atol=1e-6)


@pytest.mark.parametrize("value", [0, 7])
def test_empty_and_full_images(value):
    foreground, peaks = targets(np.full((8, 9), value, np.uint32))
    assert foreground.dtype == peaks.dtype == np.float32
    assert (foreground == bool(value)).all()
    assert (peaks == bool(value)).all()


@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_a_contact_is_where_two_beads_come_near(seed):
    labels = discs(seed, (26, 30), 6, (1.5, 7)).astype(np.uint16)
    found = contacts(labels)
    padded = np.pad(labels, NEAR_PX)
    for y, x in np.ndindex(labels.shape):
        around = padded[y : y + 2 * NEAR_PX + 1, x : x + 2 * NEAR_PX + 1]
        assert found[y, x] == (len(np.unique(around[around > 0])) > 1)


@pytest.mark.parametrize("value", [0, 7])
def test_empty_and_full_images_have_no_contacts(value):
    assert not contacts(np.full((8, 9), value, np.int32)).any()
