"""Targets of many label images at once are those of one after the other."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from beadctl.training import batch_targets as module
from beadctl.training.batch_targets import batch_targets
from beadctl.training.targets import contacts, targets

SIZE_PX = 72


def drawn(seed, count):
    """Label images: discs of all sizes, some beyond the border, later ones in front."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((SIZE_PX, SIZE_PX))
    planes = np.zeros((3, SIZE_PX, SIZE_PX), np.int32)
    for labels in planes:
        for number in range(1, int(rng.integers(count + 1)) + 1):
            cy, cx, radius = rng.uniform(0, SIZE_PX), rng.uniform(0, SIZE_PX), rng.uniform(0.5, 60 / count)
            labels[(y - cy) ** 2 + (x - cx) ** 2 <= radius**2] = number * 7
    return planes


def same(planes):
    found = batch_targets(torch.tensor(planes).float(), torch.ones(planes.shape)).numpy()
    for labels, made in zip(planes, found, strict=True):
        foreground, marker = targets(labels)
        assert np.array_equal(made[0], foreground)
        assert np.abs(made[1] - marker).max() < 1e-6
        assert np.array_equal(made[2] > 0, contacts(labels))
        assert made[3].all()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 60))
@example(seed=0, count=1)
def test_they_are_those_of_single_images(seed, count):
    same(drawn(seed, count))


def test_a_bead_that_fills_the_image_and_one_with_a_hole():
    planes = np.ones((4, SIZE_PX, SIZE_PX), np.int32)
    planes[1, 40, 3] = 0
    planes[2] = np.arange(SIZE_PX) // 24
    planes[3, :, 1:] = 0
    same(planes)


def test_large_numbers_in_many_images():
    """Beads of all images together have more numbers than float32 tells apart."""
    planes = np.zeros((64, 16, 16), np.int32)
    planes[:, 2:8, 2:8], planes[:, 8:11, 8:11] = 300_001, 300_000
    same(planes)


@pytest.mark.parametrize("most", [1, 20_000])
def test_they_do_not_depend_on_what_is_held_at_once(monkeypatch, most):
    planes = np.concatenate([drawn(3, 2), drawn(4, 30)])
    whole = batch_targets(torch.tensor(planes).float(), torch.ones(planes.shape))
    monkeypatch.setattr(module, "MOST_SUMS", most)
    assert torch.equal(batch_targets(torch.tensor(planes).float(), torch.ones(planes.shape)), whole)
