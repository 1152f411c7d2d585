"""Division of one image among splits."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beadctl.dataset.division import MIN_REGION_PX, regions

SHARES = {"train": 0.7, "val": 0.15, "test": 0.15}


@given(st.integers(60, 300), st.integers(60, 300), st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_regions_are_apart_and_have_whole_beads(height, width, beads, seed):
    rng = np.random.default_rng(seed)
    labels = np.zeros((height, width), np.uint32)
    for number in range(1, beads + 1):
        y, x, edge = rng.integers(height - 6), rng.integers(width - 6), rng.integers(2, 7)
        labels[y : y + edge, x : x + edge] = 7 * number
    found = regions(labels, SHARES)
    cover = np.zeros(labels.shape, int)
    for _, area in found:
        assert area.is_inside(height, width)
        assert min(area.height, area.width) >= MIN_REGION_PX
        cover[area.slices] += 1
        whole = np.bincount(labels[area.slices].ravel(), minlength=labels.max() + 1) == np.bincount(
            labels.ravel()
        )
        assert whole[np.unique(labels[area.slices])][1 if 0 in labels[area.slices] else 0 :].any()
    assert cover.max() <= 1
    for (_, one), (_, other) in pairwise(found):
        assert max(other.top - one.bottom, other.left - one.right) >= 2
    assert [split for split, _ in found] == (list(SHARES) if found else [])


def test_regions_have_their_share_of_the_beads():
    labels = np.zeros((100, 1000), np.uint32)
    for number in range(100):
        labels[10 * (number % 9) : 10 * (number % 9) + 6, 10 * number : 10 * number + 6] = number + 1
    found = regions(labels, SHARES)
    beads = [len(np.unique(labels[area.slices])) - 1 for _, area in found]
    assert beads == pytest.approx([70, 15, 15], abs=2)
    # They lie along the image, from end to end, and a bead apart.
    (_, train), (_, val), (_, test) = found
    assert {(area.top, area.bottom) for _, area in found} == {(0, 100)}
    assert (train.left, test.right) == (0, 1000)
    assert min(val.left - train.right, test.left - val.right) >= 6
    assert regions(labels.T, SHARES) == tuple((split, area.transposed) for split, area in found)


def test_too_few_beads_give_no_regions():
    labels = np.zeros((100, 100), np.uint32)
    assert regions(labels, SHARES) == ()
    labels[10:15, 10:15] = labels[80:85, 10:15] = 3
    assert regions(labels, SHARES) == ()
