"""Objects far brighter than beads."""

import numpy as np

from beadctl.simulate.aggregates import draw_aggregates


def test_objects_are_within_the_image_and_of_unit_brightness() -> None:
    covered = []
    for seed in range(20):
        sharp, glow = draw_aggregates(np.random.default_rng(seed), (90, 120), 10.0)
        assert sharp.shape == glow.shape == (90, 120)
        assert sharp.dtype == glow.dtype == np.float32
        assert sharp.min() >= 0
        assert sharp.max() < 2
        covered.append(float((sharp > 0.1).mean()))
    assert 0.001 < np.median(covered) < 0.5
