"""Weights by the uncertainty of the terms."""

import math

import pytest
import torch
from helpers.weighting import built, values_of
from hypothesis import given, settings
from hypothesis import strategies as st


def uncertain_step(weighting, losses):
    """What the weights add to training: sum of w L, and their own cost."""
    weighting.zero_grad()
    total = weighting.weights(0.0) @ losses + weighting.regulariser()
    total.backward()
    return total.item(), weighting.log_variance.grad.tolist()


def test_uncertainty_is_the_formula():
    """``sum(exp(-s) L + s / 2)`` with s = -log of the weight, whose slope is ``1/2 - exp(-s) L``."""
    weights, losses = (0.7, 0.3, 1.0), (0.2, 0.05, 0.6)
    total, slopes = uncertain_step(built("uncertainty", weights), torch.tensor(losses))
    pairs = list(zip(weights, losses, strict=True))
    assert total == pytest.approx(sum(w * value - math.log(w) / 2 for w, value in pairs), rel=1e-6)
    assert slopes == pytest.approx([0.5 - w * value for w, value in pairs], rel=1e-6)


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=4))
@settings(max_examples=25, deadline=None)
def test_uncertainty_has_its_minimum_at_half_over_the_loss(losses):
    rest = built("uncertainty", [1 / (2 * value) for value in losses])
    cost, slopes = uncertain_step(rest, torch.tensor(losses))
    assert slopes == pytest.approx([0.0] * len(losses), abs=1e-6)
    for factor in (0.9, 1.1):
        beside = built("uncertainty", [factor / (2 * value) for value in losses])
        assert uncertain_step(beside, torch.tensor(losses))[0] > cost


def learn(weighting, losses, steps):
    optimizer = torch.optim.SGD(weighting.parameters(), lr=0.1)
    for _ in range(steps):
        uncertain_step(weighting, torch.tensor(losses))
        optimizer.step()
    return values_of(weighting)


def test_uncertainty_converges_and_returns_from_its_limits():
    """A weight that ran against its limit still moves when its term's loss changes."""
    weighting = built("uncertainty")
    extreme = learn(weighting, [0.25, 1e-4, 1e3], 400)
    assert extreme == pytest.approx([2.0, math.exp(6), math.exp(-6)], rel=1e-3)
    assert learn(weighting, [0.25, 0.5, 0.1], 400) == pytest.approx([2.0, 1.0, 5.0], rel=1e-3)


def test_uncertainty_leaves_out_a_term_without_weight():
    weighting = built("uncertainty", (0.7, 0.0, 1.0))
    _, slopes = uncertain_step(weighting, torch.tensor([0.1, 123.0, 0.1]))
    assert slopes[1] == 0
    assert learn(weighting, [0.25, 123.0, 0.25], 50)[1] == 0
    assert weighting.regulariser().item() == pytest.approx(weighting.log_variance[[0, 2]].sum().item() / 2)
