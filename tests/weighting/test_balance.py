"""Weights that balance the gradients of the terms."""

import pytest
import torch
from helpers.weighting import built, values_of
from hypothesis import given, settings
from hypothesis import strategies as st

shares = st.lists(st.floats(0.05, 5), min_size=3, max_size=3)


norms = st.lists(st.floats(0.011, 1), min_size=3, max_size=3)


@given(shares, norms)
@settings(max_examples=50, deadline=None)
def test_balance_gives_the_gradients_the_ratios_of_the_shares(share, norm):
    balance = built("balance", share)
    for _ in range(3):
        balance.observe(torch.tensor(norm, dtype=torch.float64))
    weights = values_of(balance)
    pulls = [weight * size / asked for weight, size, asked in zip(weights, norm, share, strict=True)]
    assert pulls == pytest.approx([pulls[0]] * 3, rel=1e-9)
    assert sum(weights) == pytest.approx(sum(share), rel=1e-12)


def test_balance_averages_by_hand():
    balance, average = built("balance"), None
    for size in ([0.4, 0.02, 0.1], [0.2, 0.05, 0.3], [0.3, 0.01, 0.0]):
        balance.observe(torch.tensor(size))
        average = size if average is None else [0.9 * a + 0.1 * b for a, b in zip(average, size, strict=True)]
        raw = [share / size for share, size in zip((0.7, 0.3, 1.0), average, strict=True)]
        assert values_of(balance) == pytest.approx([2.0 * one / sum(raw) for one in raw], rel=1e-6)


@given(shares, st.lists(st.sampled_from([0.0, 1e-12, 1e-3, 1.0, 1e6]), min_size=3, max_size=3))
@settings(max_examples=50, deadline=None)
def test_balance_has_bounds(share, norm):
    balance = built("balance", share)
    balance.observe(torch.tensor(norm))
    weights = values_of(balance)
    assert all(0 < weight <= 100 * asked * (1 + 1e-9) for weight, asked in zip(weights, share, strict=True))
    assert sum(weights) == pytest.approx(sum(share))


def test_balance_leaves_out_a_term_without_weight():
    balance = built("balance", (0.7, 0.0, 1.0))
    balance.observe(torch.tensor([0.1, 5.0, 0.2]))
    assert values_of(balance) == pytest.approx([1.7 * 7 / 12, 0.0, 1.7 * 5 / 12])
