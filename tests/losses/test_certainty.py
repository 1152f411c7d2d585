"""Losses where the network is certain, and in half precision."""

import pytest
import torch
from helpers.losses import FAMILY, with_gradient

from beadctl.losses import Loss

HALVES = [torch.float16, torch.bfloat16]


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("dtype", [*HALVES, torch.float32])
@pytest.mark.parametrize("fill", ["beads", "empty", "full"])
@pytest.mark.parametrize("answer", ["right", "wrong", "yes", "no"])
def test_stays_finite_where_the_network_is_certain(loss, dtype, fill, answer):
    target = torch.full((2, 1, 16, 16), float(fill == "full"), dtype=dtype)
    if fill == "beads":
        target[:, :, 4:9, 3:12] = 1
    truth = 2 * target - 1
    signs = {"right": truth, "wrong": -truth, "yes": torch.ones_like(truth), "no": -torch.ones_like(truth)}
    value, gradient = with_gradient(FAMILY[loss], 50 * signs[answer], target)
    assert value.dtype == torch.float32
    assert gradient.dtype == dtype
    assert value.isfinite().all()
    assert gradient.isfinite().all()
    if torch.equal(signs[answer], truth):
        assert (value < 1e-6).all()
    else:
        # Of the gradient no more is asked: where the sigmoid has ended, that of Dice and its kin has too.
        assert (value > 0.05).all()


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("dtype", HALVES)
def test_sums_of_more_pixels_than_half_precision_can_count(loss, dtype):
    target = torch.zeros(2, 1, 512, 512, dtype=dtype)
    target[:, :, 256:] = 1
    logits = torch.full_like(target, 50.0)
    logits[1] = -50.0
    value, gradient = with_gradient(FAMILY[loss], logits, target)
    assert value.isfinite().all()
    assert gradient.isfinite().all()
    wide, _ = with_gradient(FAMILY[loss], logits.double(), target.double())
    torch.testing.assert_close(value.double(), wide, rtol=1e-6, atol=1e-6)
