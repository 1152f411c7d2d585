"""Smooth random fields."""

import numpy as np
import pytest

from beadctl.simulate.texture import blurred, smooth_field, widely_blurred


def test_smooth_field_has_unit_deviation_and_its_scale() -> None:
    field = smooth_field(np.random.default_rng(5), (400, 400), 10.0)
    assert field.std() == pytest.approx(1.0, abs=0.15)
    assert np.corrcoef(field[:, :-2].ravel(), field[:, 2:].ravel())[0, 1] > 0.9
    assert abs(np.corrcoef(field[:, :-50].ravel(), field[:, 50:].ravel())[0, 1]) < 0.2


def test_a_wide_blur_is_nearly_that_of_all_pixels() -> None:
    """The lengths are no multiples of the step."""
    image = smooth_field(np.random.default_rng(6), (101, 130), 30.0)
    coarse = widely_blurred(image, 4, 3.0)
    assert coarse.shape == image.shape
    wanted = blurred(image, 12.0)[8:-8, 8:-8]
    assert np.corrcoef(coarse[8:-8, 8:-8].ravel(), wanted.ravel())[0, 1] > 0.98
