"""Faults of the sensor and grey levels."""

import numpy as np

from beadctl.simulate.optics import draw_camera, with_bad_pixels


def test_bad_pixels_are_few_and_single() -> None:
    image = np.full((256, 256), 5.0, np.float32)
    for seed in range(20):
        changed = with_bad_pixels(np.random.default_rng(seed), image, 1.0) != image
        whole_columns = changed.all(axis=0)
        assert whole_columns.sum() <= 3 or changed.all()
        assert changed[:, ~whole_columns].mean() < 0.005
    assert np.all(image == 5.0)


def test_beads_beside_a_far_brighter_object_have_grey_levels() -> None:
    for seed in range(50):
        camera = draw_camera(np.random.default_rng(seed), 0.004)
        assert 0.004 * (camera.high - camera.low) * (2**camera.bits - 1) >= 6
