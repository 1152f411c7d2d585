"""The learning rate: warm-up, cosine, and falls at a plateau."""

import numpy as np
import pytest

from beadctl.training.schedule import cosine, learning_rate, plateau


def test_schedule():
    plan = {"warmup_steps": 10, "peak": 1.0}
    rates = [learning_rate(step, fall=cosine((step + 1) / 100, 0.1), **plan) for step in range(100)]
    np.testing.assert_allclose(rates[:9], np.arange(1, 10) / 10)
    assert (np.diff(rates[10:]) < 0).all()
    assert rates[49] == pytest.approx(0.55)
    assert rates[99] == pytest.approx(0.1)
    assert learning_rate(500, fall=cosine(7.0, 0.1), **plan) == pytest.approx(0.1)
    assert learning_rate(0, warmup_steps=0, fall=cosine(0.0, 0.0), peak=3.0) == 3.0


@pytest.mark.parametrize(
    ("scores", "share"),
    [
        ([], 1.0),
        ([0.1, 0.2, 0.3], 1.0),
        ([0.3, 0.2], 1.0),
        ([0.3, 0.2, 0.2], 0.5),
        ([0.3, 0.2, 0.2, 0.2], 0.5),  # the wait begins anew after a fall
        ([0.3, 0.2, 0.2, 0.2, 0.2], 0.25),
        ([0.3, 0.2, 0.2, 0.4, 0.4], 0.5),  # as good as the best is no better
        ([0.0] * 50, 0.01),
    ],
)
def test_the_rate_falls_at_a_plateau(scores, share):
    assert plateau(scores, patience=2, factor=0.5, final_fraction=0.01) == share
