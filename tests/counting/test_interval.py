"""Intervals are those of scipy.stats, and hold the mean as often as they say."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.rates import confint_poisson
from statsmodels.stats.weightstats import DescrStatsW

from beadctl.counting.interval import difference_interval, jeffreys_interval, mean_interval, poisson_interval


@given(st.integers(0, 10**6), st.floats(0.5, 0.999))
def test_the_poisson_interval_is_that_of_the_chi_squared_distribution(count, confidence):
    ends, tail = poisson_interval(count, confidence), (1 - confidence) / 2
    low = stats.chi2.ppf(tail, 2 * count) / 2 if count else 0.0
    assert ends.low == pytest.approx(low, rel=1e-8)
    assert ends.high == pytest.approx(stats.chi2.isf(tail, 2 * count + 2) / 2, rel=1e-8)
    assert ends.low <= count <= ends.high


@given(st.integers(1, 10**4))
def test_counts_as_far_off_as_this_have_the_stated_chance_at_the_ends(count):
    """The definition of the exact interval, by the distribution itself."""
    ends = poisson_interval(count)
    assert stats.poisson.sf(count - 1, ends.low) == pytest.approx(0.025, rel=1e-6)
    assert stats.poisson.cdf(count, ends.high) == pytest.approx(0.025, rel=1e-6)


def test_published_values():
    """Garwood's table for 0, 1 and 10 counts."""
    for count, low, high in ((0, 0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.390)):
        ends = poisson_interval(count)
        assert ends.low == pytest.approx(low, abs=5e-4)
        assert ends.high == pytest.approx(high, abs=5e-4)


@given(st.floats(1e-3, 1e6), st.floats(1e-6, 1e5), st.integers(2, 1000))
def test_the_interval_of_a_mean_is_that_of_student(mean, error, n):
    ends = mean_interval(mean, error, n)
    low, high = stats.t.interval(0.95, n - 1, mean, error)
    assert ends.high == pytest.approx(high, rel=1e-7)
    assert ends.low == pytest.approx(max(0, low), rel=1e-7, abs=1e-7 * high)


@given(st.integers(1, 10**5))
def test_the_interval_of_jeffreys_is_that_of_the_gamma_distribution(count):
    ends, exact = jeffreys_interval(count), poisson_interval(count)
    assert (ends.low, ends.high) == pytest.approx(stats.gamma.interval(0.95, count + 0.5), rel=1e-9)
    assert exact.low <= ends.low <= count <= ends.high < exact.high


def test_the_interval_of_jeffreys_of_no_bead_is_exact():
    assert jeffreys_interval(0) == poisson_interval(0)
    # The chance of no bead is 2.5 % at its end.
    assert stats.poisson.pmf(0, jeffreys_interval(0).high) == pytest.approx(0.025)


def test_the_interval_of_jeffreys_holds_95_percent_of_the_means_on_average():
    rng = np.random.default_rng(3)
    means = np.exp(rng.uniform(np.log(3), np.log(60), 20_000))
    counts = rng.poisson(means)
    ends = {count: jeffreys_interval(count) for count in set(counts.tolist())}
    held = [ends[n].low <= mean <= ends[n].high for n, mean in zip(counts.tolist(), means, strict=True)]
    assert np.mean(held) == pytest.approx(0.95, abs=0.005)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 10, 77, 1000, 10**5])
def test_intervals_of_a_count_are_those_of_statsmodels(count):
    for own, method in ((poisson_interval, "exact-c"), (jeffreys_interval, "jeff")):
        # Of no bead both are exact, and the lower end is 0.
        low, high = confint_poisson(count, 1, method=method if count else "exact-c")
        ends = own(count)
        assert ends.low == pytest.approx(low if count else 0, rel=1e-9)
        assert ends.high == pytest.approx(high, rel=1e-9)


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=9))
def test_the_interval_between_values_is_that_of_statsmodels(values):
    ends = difference_interval(np.mean(values), stats.sem(values), len(values))
    low, high = DescrStatsW(np.array(values, float)).tconfint_mean(0.05)
    assert (ends.low, ends.high) == pytest.approx((low, high), rel=1e-9, abs=1e-9)


def test_one_value_has_no_interval():
    assert math.isnan(mean_interval(3, 1, 1).low)


@pytest.mark.parametrize("mean", [0.5, 3.0, 20.0, 300.0])
def test_coverage_of_the_poisson_interval(mean):
    """At least 95 %, and with large counts not much more."""
    counts, times = np.unique(np.random.default_rng(0).poisson(mean, 20_000), return_counts=True)
    held = [ends.low <= mean <= ends.high for ends in map(poisson_interval, counts.tolist())]
    covered = np.average(held, weights=times)
    assert 0.947 <= covered <= (0.97 if mean >= 20 else 1)


def test_coverage_of_the_interval_between_fields():
    fields = np.random.default_rng(1).poisson(100, (4000, 6))
    errors = fields.std(axis=1, ddof=1) / math.sqrt(6)
    intervals = [
        mean_interval(mean, error, 6) for mean, error in zip(fields.mean(axis=1), errors, strict=True)
    ]
    covered = np.mean([ends.low <= 100 <= ends.high for ends in intervals])
    assert 0.94 <= covered <= 0.96
