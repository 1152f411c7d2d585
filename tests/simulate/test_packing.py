"""Layers of beads that fill the image."""

import numpy as np
import pytest

from beadctl.simulate.drawing import outline_labels
from beadctl.simulate.layout import Arrangement
from beadctl.simulate.packing import PACKINGS, pack


@pytest.mark.parametrize("layout", PACKINGS)
@pytest.mark.parametrize(("closest", "low", "high"), [(1.0, 0.6, 0.92), (1.2, 0.4, 0.7)])
def test_densest_layers_fill_the_image(layout: str, closest: float, low: float, high: float) -> None:
    shape = (220, 260)
    count = int(0.82 * 250 * 290 / (np.pi * 36 * closest**2))
    plan = Arrangement(count, 12.0, 0.0, 1.0, layout, closest)
    covers = []
    for seed in range(12):
        labels = outline_labels(pack(np.random.default_rng(seed), plan, shape), shape)
        covers.append(float((labels > 0).mean()))
    # Layers with a front or vacancies cover less.
    assert low < max(covers) < high
    assert min(covers) < 0.9 * max(covers)


@pytest.mark.parametrize("layout", PACKINGS)
def test_packed_beads_keep_their_distance(layout: str) -> None:
    plan = Arrangement(300, 14.0, 0.1, 1.0, layout, 1.0)
    for seed in range(4):
        beads = pack(np.random.default_rng(seed), plan, (200, 200))
        apart = np.hypot(beads.y[:, None] - beads.y, beads.x[:, None] - beads.x)
        apart += np.diag(np.full(len(beads), np.inf))
        assert np.all(apart > 0.79 * (beads.radius_px[:, None] + beads.radius_px))


@pytest.mark.parametrize("shape", [(1, 5), (16, 16), (20, 90)])
def test_beads_of_tiny_images_show_in_them(shape: tuple[int, int]) -> None:
    for layout in PACKINGS:
        numbers = []
        for seed in range(5):
            beads = pack(np.random.default_rng(seed), Arrangement(3, 5.0, 0.1, 1.5, layout, 1.0), shape)
            for centre, length in ((beads.y, shape[0]), (beads.x, shape[1])):
                assert (np.abs(centre - (length - 1) / 2) < (length - 1) / 2 + beads.radius_px).all()
            assert (beads.radius_px <= max(1.5, max(shape) / 4)).all()
            numbers.append(len(beads))
        assert max(numbers) > 0
