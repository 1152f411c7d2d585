"""Histograms of values that come one at a time, beside numpy's of all values."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beadctl.report.distribution import MOST_BARS, Distribution


def of(values):
    found = Distribution("Diameter", "diameter, px", "beads")
    for value in values:
        found.add(value)
    return found


@given(st.lists(st.floats(1e-3, 1e4), min_size=1, max_size=300))
def test_bars_hold_the_values_as_numpy_counts_them(values):
    found = of(values)
    bars = found.bars()
    assert 1 <= len(bars) <= MOST_BARS + 2
    assert all(one.high == other.low for one, other in itertools.pairwise(bars))
    rounded = np.array([float(f"{value:.4g}") for value in values])
    # Few values: none is beyond the ends.
    assert sum(bar.count for bar in bars) == len(values)
    edges = np.array([bars[0].low, *(bar.high for bar in bars)])
    on_an_edge = np.isclose(rounded[:, None], edges, rtol=1e-6, atol=1e-9).any()
    if not on_an_edge:
        assert np.histogram(rounded, edges)[0].tolist() == [bar.count for bar in bars]


def test_a_value_on_an_edge_is_in_the_bar_that_begins_there():
    tenths = [tenth / 10 for tenth in range(1, 11)]
    bars = of(tenths * 10).bars()
    assert [(bar.low, bar.count) for bar in bars] == [(tenth, 10) for tenth in tenths]


@pytest.mark.parametrize("seed", range(3))
def test_far_outliers_are_told_and_not_drawn(seed):
    values = np.random.default_rng(seed).normal(20, 2, 5000)
    found = of([*values, 5000.0])
    bars = found.bars()
    assert bars[-1].high < 40
    beyond = 5001 - sum(bar.count for bar in bars)
    assert 1 <= beyond <= 12
    assert f"{beyond} beyond the ends are not drawn" in found.remark
    assert math.isclose(found.quantile(0.5), np.median(values), rel_tol=1e-3)


def test_unknown_values_are_left_out():
    found = of([None, math.nan, math.inf, 3.0])
    assert found.total == 1
    assert sum(bar.count for bar in found.bars()) == 1
