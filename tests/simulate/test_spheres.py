"""Opaque spheres."""

import numpy as np

from beadctl.simulate.drawing import circles
from beadctl.simulate.spheres import draw_shading, paint


def test_nearer_sphere_hides_the_farther() -> None:
    rng = np.random.default_rng(3)
    beads = circles([30.0, 30.0], [30.0, 38.0], [12.0, 10.0])
    image, labels = paint(rng, beads, np.zeros((60, 70), np.float32), draw_shading(rng))
    assert abs(np.count_nonzero(labels == 2) - np.pi * 100) < 10
    assert labels[30, 30] == 2
    assert labels[30, 20] == 1
    assert image[labels > 0].mean() > image[labels == 0].mean()
