"""Beads per millilitre: the formula, its units, and how often the interval holds the truth."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import approx_fprime

from beadctl.counting.concentration import concentration
from beadctl.counting.groups import Field, group_statistics
from beadctl.counting.interval import Interval, poisson_interval
from beadctl.counting.measured import Measured


def test_a_haemocytometer():
    """A square of 1 mm2 and 0.1 mm is 0.1 uL: 50 beads there at 1:20 are 10 million a mL."""
    stock = concentration(50, Interval(40, 62), 1e6, Measured(100), Measured(20))
    assert stock.beads_per_ml == pytest.approx(1e7)
    assert (stock.interval.low, stock.interval.high) == pytest.approx((8e6, 1.24e7))


@given(st.integers(1, 10**5), st.floats(1, 1e9), st.floats(1, 1e3), st.floats(0, 0.05), st.floats(0, 0.05))
def test_errors_add_in_quadrature(count, area_um2, depth_um, depth_error, dilution_error):
    ends = poisson_interval(count)
    depth, dilution = Measured(depth_um, depth_um * depth_error), Measured(7, 7 * dilution_error)
    stock = concentration(count, ends, area_um2, depth, dilution)
    other = 1.959964 * math.sqrt(depth_error**2 + dilution_error**2)
    high = math.sqrt((ends.high / count - 1) ** 2 + other**2)
    low = math.sqrt((1 - ends.low / count) ** 2 + other**2)
    assert stock.interval.high / stock.beads_per_ml - 1 == pytest.approx(high, rel=1e-5)
    assert stock.interval.low / stock.beads_per_ml == pytest.approx(max(0, 1 - low), rel=1e-5, abs=1e-9)


def test_a_symmetrical_interval_is_that_of_first_order_propagation():
    """Derivatives of the concentration by count, depth and dilution, as in the GUM."""
    value, sd = np.array([80.0, 100.0, 20.0]), np.array([6.0, 3.0, 0.8])

    def beads_per_ml(count, depth_um, dilution):
        return 1e12 * count * dilution / (4e5 * depth_um)

    slopes = approx_fprime(value, lambda three: beads_per_ml(*three), 1e-6 * value)
    half = stats.norm.ppf(0.975) * math.hypot(*(slopes * sd))
    ends = Interval(*stats.norm.interval(0.95, value[0], sd[0]))
    stock = concentration(80, ends, 4e5, Measured(100, 3), Measured(20, 0.8))
    assert stock.beads_per_ml == pytest.approx(beads_per_ml(*value))
    assert stock.interval.high - stock.beads_per_ml == pytest.approx(half, rel=1e-5)
    assert stock.beads_per_ml - stock.interval.low == pytest.approx(half, rel=1e-5)


def test_no_bead_has_an_upper_end():
    stock = concentration(0, poisson_interval(0), 1e6, Measured(100, 5), Measured(1))
    assert (stock.beads_per_ml, stock.interval.low) == (0, 0)
    assert stock.interval.high == pytest.approx(3.6889e4, rel=1e-4)


@pytest.mark.parametrize("fields", [1, 6])
@pytest.mark.parametrize(("depth_sd", "dilution_sd"), [(0, 0), (3, 0.2)])
def test_coverage(fields, depth_sd, dilution_sd):
    """Of chambers that hold 2e6 beads a mL at 1:10: stated are the nominal depth and dilution."""
    rng, truth, held, trials = np.random.default_rng(7), 2e6, 0, 3000
    for _ in range(trials):
        depth, dilution = rng.normal(100, depth_sd), rng.normal(10, dilution_sd)
        counts = rng.poisson(truth / dilution * 2.5e6 * depth / 1e12, fields)
        group = group_statistics([Field("", int(count), 2.5e6) for count in counts])
        stock = concentration(
            group.mean, group.interval, group.mean_area, Measured(100, depth_sd), Measured(10, dilution_sd)
        )
        held += stock.interval.low <= truth <= stock.interval.high
    assert 0.935 <= held / trials <= 0.97
