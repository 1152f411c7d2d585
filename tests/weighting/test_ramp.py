"""The ramp of the weights over the epochs."""

import numpy as np
import pytest
from helpers.weighting import built, values_of


def test_ramp_is_the_schedule_of_the_study():
    """Dice from a half to 0.7 over 30 epochs, focal the rest, the marker's weight constant."""
    ramp = built("ramp")
    for epoch in np.linspace(0, 60, 241):
        dice = 0.5 + 0.2 * min(epoch / 30, 1)
        assert values_of(ramp, float(epoch)) == pytest.approx([dice, 1 - dice, 1.0], abs=1e-12)
    assert values_of(ramp, 15.0) == pytest.approx([0.6, 0.4, 1.0])


def test_ramp_from_elsewhere():
    ramp = built("ramp", (0.6, 0.3, 0.1, 2.0), ramp_from=(0.0, 1.0, 0.0), ramp_epochs=4.0)
    assert values_of(ramp, 0.0) == pytest.approx([0.0, 1.0, 0.0, 2.0])
    assert values_of(ramp, 1.0) == pytest.approx([0.15, 0.825, 0.025, 2.0])
    assert values_of(ramp, 4.0) == values_of(ramp, 99.0) == pytest.approx([0.6, 0.3, 0.1, 2.0])


def test_ramp_without_another_start_keeps_the_sum():
    ramp = built("ramp", (0.5, 0.3, 0.1, 2.0))
    assert values_of(ramp) == pytest.approx([0.3, 0.3, 0.3, 2.0])
    assert sum(values_of(ramp, 11.0)) == pytest.approx(2.9)
    assert values_of(built("ramp", (1.0, 0.5)), 3.0) == pytest.approx([1.0, 0.5])


@pytest.mark.parametrize("start", [(1.0,), (0.2, 0.3, 0.5)])
def test_ramp_needs_a_start_for_each_term(start):
    with pytest.raises(ValueError, match=rf"2 term.*the ramp {len(start)}"):
        built("ramp", ramp_from=start)
