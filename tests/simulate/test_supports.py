"""Supports of nanoparticles."""

import numpy as np
import pytest
from scipy import ndimage

from beadctl.simulate import render
from beadctl.simulate.supports import SUPPORTS, draw_support, support_plan


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


def test_labelled_particles_differ_from_the_support_around_them() -> None:
    steps = []
    for seed in range(150):
        scene = render(np.random.default_rng([12, seed]), 160)
        if str(scene.facts["texture"]).split("+")[0] not in SUPPORTS:
            continue
        image = scene.image.astype(float)
        for number in range(1, int(scene.labels.max()) + 1):
            own = scene.labels == number
            near = ndimage.binary_dilation(own, iterations=4) & ~ndimage.binary_dilation(own, iterations=1)
            near &= scene.labels == 0
            if near.sum() < 30 or own.sum() < 20:
                continue
            y, x = np.nonzero(near)
            plane = np.column_stack([y, x, np.ones(len(y))])
            fit, *_ = np.linalg.lstsq(plane, image[near], rcond=None)
            spread = max(float(np.std(image[near] - plane @ fit)), 0.5)
            y, x = np.nonzero(own)
            expected = np.column_stack([y, x, np.ones(len(y))]) @ fit
            steps.append(float(np.sqrt(np.mean((image[own] - expected) ** 2))) / spread)
    assert len(steps) > 20
    assert np.median(steps) > 2.5
    assert np.mean(np.array(steps) > 1.2) > 0.9
