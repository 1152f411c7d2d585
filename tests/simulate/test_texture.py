"""Smooth random fields."""

import numpy as np
import pytest

from beadctl.simulate.texture import smooth_field


def test_smooth_field_has_unit_deviation_and_its_scale() -> None:
    field = smooth_field(np.random.default_rng(5), (400, 400), 10.0)
    assert field.std() == pytest.approx(1.0, abs=0.15)
    assert np.corrcoef(field[:, :-2].ravel(), field[:, 2:].ravel())[0, 1] > 0.9
    assert abs(np.corrcoef(field[:, :-50].ravel(), field[:, 50:].ravel())[0, 1]) < 0.2
