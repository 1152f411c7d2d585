"""Supports of nanoparticles."""

import numpy as np
import pytest

from beadctl.simulate.supports import draw_support, support_plan


def test_support_has_unit_deviation() -> None:
    for seed in range(10):
        support, name = draw_support(np.random.default_rng(seed), (120, 150), 9.0)
        assert support.min() == 0
        assert support.std() == pytest.approx(1.0, abs=0.01)
        assert name


def test_particles_fit_the_image() -> None:
    for seed in range(30):
        plan = support_plan(np.random.default_rng(seed), (64, 80))
        assert plan.is_emitting
        assert 3 <= plan.diameter_px <= 26
