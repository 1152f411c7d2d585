"""Agreement equals other forms of the same figures, and the intervals hold the truth."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from beadctl.counting.agreement import agreement, bands

PAIRS = st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 2000)), min_size=2, max_size=20)


@given(PAIRS)
def test_bias_and_limits(pairs):
    x, y = np.array(pairs, float).T
    found = agreement(*zip(*pairs, strict=True))
    difference = x - y
    assert (found.fields, found.bias) == (len(pairs), pytest.approx(difference.mean()))
    limits = stats.norm.interval(0.95, difference.mean(), difference.std(ddof=1))
    assert (found.limits.low, found.limits.high) == pytest.approx(limits, nan_ok=True) or np.ptp(
        difference
    ) == 0
    test = stats.ttest_rel(x, y)
    if np.ptp(difference) > 0:
        expected = test.confidence_interval(0.95)
        ends = found.bias_interval
        assert (ends.low, ends.high) == pytest.approx((expected.low, expected.high))
    if (y > 0).any():
        assert found.mape == pytest.approx(np.mean(np.abs(x / np.where(y > 0, y, np.nan) - 1)[y > 0]))
    else:
        assert math.isnan(found.mape)


@given(PAIRS)
def test_the_concordance_is_the_correlation_times_the_accuracy(pairs):
    """Lin's second form: r over the mean of scale and location shift."""
    x, y = np.array(pairs, float).T
    found = agreement(*zip(*pairs, strict=True))
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert math.isnan(found.concordance)
        return
    scale, shift = x.std() / y.std(), (x.mean() - y.mean()) / math.sqrt(x.std() * y.std())
    accuracy = 2 / (scale + 1 / scale + shift**2)
    assert found.concordance == pytest.approx(stats.pearsonr(x, y).statistic * accuracy, abs=1e-9)
    ends = found.concordance_interval
    assert math.isnan(ends.low) or -1 <= ends.low <= found.concordance <= ends.high <= 1


def test_equal_counts_agree():
    found = agreement([3, 50, 700], [3, 50, 700])
    assert (found.bias, found.concordance, found.mape) == (0, pytest.approx(1), 0)
    assert (found.limits.low, found.limits.high) == (0, 0)


def test_one_plane_has_a_bias_alone():
    found = agreement([5], [4])
    assert (found.bias, found.mape) == (1, 0.25)
    assert math.isnan(found.limits.low)
    assert math.isnan(found.bias_interval.high)
    assert math.isnan(found.concordance)


@pytest.mark.parametrize(
    ("counts", "manual"), [([3, 5], [4, 4]), ([1, 2, 3], [1, 1, 4]), ([7, 7], [7, 7]), ([0, 0], [0, 0])]
)
def test_few_planes_have_what_can_be_told_of_them(counts, manual):
    found = agreement(counts, manual)
    difference = np.subtract(counts, manual)
    assert found.bias == difference.mean()
    spread = difference.std(ddof=1)
    assert found.limits.high - found.limits.low == pytest.approx(2 * stats.norm.ppf(0.975) * spread)
    half = stats.t.ppf(0.975, len(counts) - 1) * spread / math.sqrt(len(counts))
    assert found.bias_interval.high == pytest.approx(found.bias + half)
    # Two or three planes say nothing about the scatter of a correlation.
    assert math.isnan(found.concordance_interval.low)
    assert math.isnan(found.mape) == (max(manual) == 0)


def test_manual_counts_that_do_not_vary_have_no_concordance():
    found = agreement([3, 4, 6, 9], [5, 5, 5, 5])
    assert math.isnan(found.concordance)
    assert math.isnan(found.concordance_interval.high)
    assert found.mape == pytest.approx((0.4 + 0.2 + 0.2 + 0.8) / 4)


@given(PAIRS)
def test_the_concordance_is_one_minus_the_mean_square_over_that_of_independent_counts(pairs):
    """Lin's definition, by all pairs of counts."""
    x, y = np.array(pairs, float).T
    found = agreement(*zip(*pairs, strict=True))
    independent = ((x[:, None] - y[None]) ** 2).mean()
    if not math.isnan(found.concordance):
        assert found.concordance == pytest.approx(1 - ((x - y) ** 2).mean() / independent, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_interval_of_the_concordance_is_that_of_the_delta_method(seed):
    """Of moments of normal counts, with numerical derivatives, and n - 2 in place of n as in Lin's paper."""
    rng = np.random.default_rng(seed)
    manual = rng.normal(150, 40, 6 + 8 * seed)
    counts = manual * rng.uniform(0.8, 1.2) + rng.normal(0, 20, manual.size) + rng.uniform(-10, 10)
    (vx, c), (_, vy) = np.cov(counts, manual, ddof=0)

    def scale(moments):
        mx, my, vx, vy, c = moments
        return np.arctanh(2 * c / (vx + vy + (mx - my) ** 2))

    moments = np.array([counts.mean(), manual.mean(), vx, vy, c])
    steps = np.diag(1e-5 * np.abs(moments))
    slopes = [(scale(moments + step) - scale(moments - step)) / (2 * step.sum()) for step in steps]
    covariance = np.zeros((5, 5))
    covariance[:2, :2] = [[vx, c], [c, vy]]
    covariance[2:, 2:] = [
        [2 * vx**2, 2 * c**2, 2 * vx * c],
        [2 * c**2, 2 * vy**2, 2 * vy * c],
        [2 * vx * c, 2 * vy * c, vx * vy + c**2],
    ]
    sd = math.sqrt(np.array(slopes) @ covariance @ slopes / (manual.size - 2))
    ends = agreement(counts, manual).concordance_interval
    expected = np.tanh(stats.norm.interval(0.95, scale(moments), sd))
    assert (ends.low, ends.high) == pytest.approx(tuple(expected), rel=1e-5)


@given(PAIRS)
def test_bands_hold_each_plane_once(pairs):
    found = list(bands(*zip(*pairs, strict=True)))
    assert sum(one.fields for _, one in found) == len(pairs)
    assert [name for name, _ in found] == [
        name
        for name, low, high in (
            ("0-9", 0, 9),
            ("10-99", 10, 99),
            ("100-999", 100, 999),
            ("1000-", 1000, 9999),
        )
        if any(low <= manual <= high for _, manual in pairs)
    ]


@pytest.mark.parametrize(("shift", "noise"), [(0, 10), (5, 15), (10, 5)])
def test_coverage_of_the_concordance(shift, noise):
    """Of normal counts, for which the true coefficient is known."""
    rng, held, trials = np.random.default_rng(2), 0, 1000
    truth = 2 * 40**2 / (2 * 40**2 + noise**2 + shift**2)
    for _ in range(trials):
        manual = rng.normal(200, 40, 30)
        ends = agreement(manual + shift + rng.normal(0, noise, 30), manual).concordance_interval
        held += ends.low <= truth <= ends.high
    assert 0.92 <= held / trials <= 0.98
