"""Clumps that were counted as one object: how many beads they hold, on drawn ones of known numbers."""

import numpy as np
import pytest

from beadctl.segmentation.measure import measure
from beadctl.segmentation.unresolved import unresolved_beads

STEP_PX = 60


def drawn(clumps, radius=9.0, spread=0.0, seed=0):
    """Measure one object for each number: so many discs that touch, side by side or in a triangle."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((STEP_PX * -(-len(clumps) // 8), STEP_PX * 8), np.uint32)
    rows, columns = np.indices(labels.shape)
    for label, number in enumerate(clumps, 1):
        row, column = divmod(label - 1, 8)
        y, x = row * STEP_PX + 20, column * STEP_PX + 20
        for dy, dx in ((0, 0), (0, 1.9), (1.65, 0.95))[:number]:
            size = radius * (1 + spread * rng.uniform(-1, 1))
            labels[np.hypot(rows - y - dy * radius, columns - x - dx * radius) < size] = label
    return measure(labels)


@pytest.mark.parametrize("spread", [0, 0.05])
@pytest.mark.parametrize("radius", [5, 9])
@pytest.mark.parametrize(
    "clumps", [[1] * 24, [1] * 16 + [2] * 5, [1] * 20 + [3] * 2, [1] * 15 + [2] * 3 + [3] * 3]
)
def test_the_beads_of_clumps_among_beads_of_one_size(clumps, radius, spread):
    assert unresolved_beads(drawn(clumps, radius, spread)) == sum(clumps) - len(clumps)


def test_a_large_round_bead_is_no_clump():
    labels = np.zeros((80, 300), np.uint32)
    rows, columns = np.indices(labels.shape)
    for label, (x, radius) in enumerate(((20, 8), (60, 8), (100, 8), (140, 8), (180, 8), (240, 24)), 1):
        labels[np.hypot(rows - 40, columns - x) < radius] = label
    assert unresolved_beads(measure(labels)) == 0


def test_it_is_unknown_for_few_beads_and_for_beads_of_many_sizes():
    assert unresolved_beads(drawn([1, 1, 2])) is None
    assert unresolved_beads(drawn([1] * 24, spread=0.5)) is None
    assert unresolved_beads(measure(np.zeros((9, 9), np.uint32))) is None
