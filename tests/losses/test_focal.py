"""Focal losses at the ends of their exponents."""

import pytest
import torch
from helpers.losses import FAMILY, batch, torch_bce, with_gradient

from beadctl.losses import Loss, LossParameters, weighted


@pytest.mark.parametrize("gamma", [0.0, 0.5])
def test_focal_gradient_is_finite_for_small_exponents_where_the_answer_is_certain(gamma):
    focal = weighted(Loss.FOCAL.load()(LossParameters(focal_gamma=gamma)))
    logits = torch.tensor([[[-300.0, 300.0, 0.0]]])
    assert with_gradient(focal, logits, torch.tensor([[[0.0, 1.0, 1.0]]]))[1].isfinite().all()


def test_focal_without_focus_is_half_of_cross_entropy():
    logits, target = batch()
    focal = weighted(Loss.FOCAL.load()(LossParameters(focal_alpha=0.5, focal_gamma=0.0)))
    torch.testing.assert_close(focal(logits, target), 0.5 * torch_bce(logits, target))


@pytest.mark.parametrize("gamma", [0.1, 0.75, 1.0, 2.0])
def test_focal_tversky_leaves_a_perfect_sample_alone(gamma):
    function = weighted(Loss.FOCAL_TVERSKY.load()(LossParameters(tversky_gamma=gamma)))
    logits, target = batch((2, 1, 8, 8), torch.float32)
    logits[0] = 200 * (2 * target[0] - 1)
    value, gradient = with_gradient(function, logits, target)
    assert value[0] == 0
    assert (gradient[0] == 0).all()
    assert (gradient[1] != 0).all()
    assert gradient.isfinite().all()
    tversky, slope = with_gradient(FAMILY[Loss.TVERSKY], logits[1:], target[1:])
    torch.testing.assert_close(value[1:], tversky**gamma)
    torch.testing.assert_close(gradient[1:], gamma * tversky ** (gamma - 1) * slope)
