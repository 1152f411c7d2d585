"""Dirt of strong contrast."""

import numpy as np
import pytest

from beadctl.simulate.dirt import DIRT, draw_dirt


@pytest.mark.parametrize("name", DIRT)
def test_every_kind_covers_a_part_of_the_image(name: str) -> None:
    drawn = [DIRT[name](np.random.default_rng(seed), (100, 140), 20.0) for seed in range(12)]
    assert all(one.shape == (100, 140) and one.dtype == np.float32 for one in drawn)
    covered = [float((np.abs(one) > 0.1).mean()) for one in drawn]
    assert 0.0005 < np.mean(covered) < 0.7


def test_several_kinds_stay_within_full_absorption() -> None:
    absorbed, names = draw_dirt(np.random.default_rng(2), (80, 90), 15.0, 3)
    assert absorbed.shape == (80, 90)
    assert np.abs(absorbed).max() <= 1
    assert len(set(names)) == 3
