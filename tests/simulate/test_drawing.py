"""Beads drawn onto an image and a label image."""

import numpy as np
import pytest
from scipy import ndimage

from beadctl.simulate.drawing import accumulate, circles, consecutive, outline_labels
from beadctl.simulate.looks import LOOKS


@pytest.mark.parametrize("radius", [2.0, 5.3, 17.8])
def test_label_of_a_circle_has_its_area_and_centre(radius: float) -> None:
    labels = outline_labels(circles([40.3, 41.7], [40.6, 110.2], [radius, radius]), (80, 150))
    for number, centre in ((1, (40.3, 40.6)), (2, (41.7, 110.2))):
        area = np.count_nonzero(labels == number)
        assert abs(area - np.pi * radius**2) < 2.5 + radius
        np.testing.assert_allclose(ndimage.center_of_mass(labels == number), centre, atol=0.3)


def test_labels_of_overlapping_circles_equal_the_nearest_outline() -> None:
    rng = np.random.default_rng(0)
    y, x, r = rng.uniform(-3, 43, 25), rng.uniform(-3, 53, 25), rng.uniform(2, 9, 25)
    labels = outline_labels(circles(y, x, r), (40, 50))
    rows, columns = np.mgrid[:40, :50]
    rho = np.hypot(rows[..., None] - y, columns[..., None] - x) / r
    expected = np.where(rho.min(axis=-1) <= 1, rho.argmin(axis=-1) + 1, 0)
    # Pixels on an outline or halfway between two beads may differ by rounding to float32.
    assert np.mean(labels == expected) > 0.999


def test_label_is_cut_at_the_border() -> None:
    labels = outline_labels(circles([0.0, -30.0], [25.0, 25.0], [8.0, 8.0]), (50, 50))
    assert abs(np.count_nonzero(labels == 1) - (np.pi * 64 / 2 + 8)) < 6
    assert not np.any(labels == 2)
    np.testing.assert_array_equal(np.unique(consecutive(labels, np.array([True, True]))), [0, 1])


def test_signal_of_a_disc_is_half_at_its_outline() -> None:
    look = LOOKS["disc"](np.random.default_rng(1))
    signal = accumulate(circles([50.0], [50.0], [20.0]), (101, 101), look.profile, look.reach)
    edge = signal[50, 66]
    outline = np.interp(-0.5 * edge, -signal[50, 66:90], np.arange(16, 40))
    assert outline == pytest.approx(20.0, abs=0.7)
    assert signal[0, 0] == 0


def test_signal_of_many_beads_is_the_sum_of_each() -> None:
    rng = np.random.default_rng(2)
    y, x, r = rng.uniform(-5, 65, 30), rng.uniform(-5, 75, 30), rng.uniform(1.5, 12, 30)
    look = LOOKS["spot"](rng)
    together = accumulate(circles(y, x, r), (60, 70), look.profile, look.reach)
    single = [
        accumulate(circles(*one), (60, 70), look.profile, look.reach) for one in zip(y, x, r, strict=True)
    ]
    # Beads in one group are drawn on larger patches, which include more of a faint profile.
    np.testing.assert_allclose(together, np.sum(single, axis=0), atol=0.05)
