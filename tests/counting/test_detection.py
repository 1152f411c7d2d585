"""What a model's errors add to a count: quantiles of scipy.stats, and how often intervals hold the truth."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from beadctl.counting.detection import (
    Band,
    band_of,
    combined_interval,
    detection_interval,
    field_interval,
    with_error,
)
from beadctl.counting.interval import Interval

BAND = Band(False, 1.0, 60, true=3000, found=2950, matched=2800, widening=1.5)


@st.composite
def bands(draw):
    matched = draw(st.integers(0, 3000))
    true, found = (matched + draw(st.integers(0, 1000)) for _ in range(2))
    return Band(False, 1.0, 40, true, found, matched, 1.0)


@given(st.integers(0, 400), bands())
def test_the_ends_are_those_of_beta_binomial_distributions(count, band):
    ends = detection_interval(count, band)
    wrong, missed = band.found - band.matched + 0.5, band.true - band.matched + 0.5
    matched = band.matched + 0.5
    if count:
        share = stats.betabinom.cdf(count - ends.low, count, wrong, matched)
        assert share >= 0.975
        assert stats.betabinom.cdf(count - ends.low - 1, count, wrong, matched) < 0.975
    assert stats.betabinom.cdf(count, ends.high, matched, missed) >= 0.025
    assert stats.betabinom.cdf(count, ends.high + 1, matched, missed) < 0.025
    assert 0 <= ends.low <= count <= ends.high


@pytest.mark.parametrize("band", [BAND, dataclasses.replace(BAND, matched=900)])
def test_many_beads_have_the_limit_of_the_same_ends(band):
    below, above = (detection_interval(count, band) for count in (10_000, 10_001))
    assert above.low == pytest.approx(below.low, rel=0.01)
    assert above.high == pytest.approx(below.high, rel=0.01)


@given(st.integers(0, 10_001))
def test_a_model_without_errors_adds_nearly_nothing(count):
    band = Band(False, 1.0, 60, true=10**7, found=10**7, matched=10**7, widening=1.0)
    ends = detection_interval(count, band)
    assert (ends.low, ends.high) == pytest.approx((count, count), abs=1 + 1e-3 * count)


def test_a_model_that_found_nothing_tells_little():
    ends = detection_interval(0, Band(False, 1.0, 40, true=50, found=0, matched=0, widening=1.0))
    assert ends.low == 0
    assert ends.high > 50


@pytest.mark.parametrize("count", [20, 300])
def test_coverage_of_the_true_number(count):
    """Of fields and figures drawn with one precision and recall; the figures too are of so many beads."""
    rng, held, trials = np.random.default_rng(4), 0, 600
    for _ in range(trials):
        matched = rng.binomial(count, 0.9)
        found, true = matched + rng.poisson(0.05 * count), count
        known = rng.binomial(400, 0.9)
        band = Band(False, 1.0, 40, 400, known + rng.poisson(20), known, 1.0)
        ends = detection_interval(found, band)
        held += ends.low <= true <= ends.high
    assert held / trials >= 0.95


@given(
    st.integers(0, 5000),
    st.tuples(st.floats(0, 1), st.floats(0, 3)),
    st.tuples(st.floats(0, 1), st.floats(0, 3)),
    st.floats(0, 4),
)
def test_intervals_hold_the_count_and_grow_with_their_parts(count, detected, ranged, widening):
    detection, thresholds = (
        Interval(count * (1 - down), count * (1 + up) + up) for down, up in (detected, ranged)
    )
    field = field_interval(count, detection, thresholds, widening)
    combined = combined_interval(count, field)
    assert combined.low <= field.low + 1e-9 <= count + 2e-9
    assert count <= field.high + 1e-9 <= combined.high + 2e-9
    assert combined.low >= 0
    wider = field_interval(count, detection, thresholds, widening + 1)
    assert wider.low <= field.low + 1e-9
    assert wider.high >= field.high - 1e-9
    if widening >= 1:
        for part in (detection, thresholds):
            assert field.low <= part.low + 1e-6
            assert field.high >= part.high - 1e-6


@given(st.integers(0, 5000))
def test_without_errors_the_combined_interval_is_that_of_jeffreys(count):
    ends = combined_interval(count, Interval(count, count))
    low, high = stats.gamma.ppf([0.025, 0.975], count + 0.5)
    assert ends.high == pytest.approx(high, rel=1e-9)
    assert ends.low == pytest.approx(low if count else 0, rel=1e-9)


def test_one_part_alone_is_kept():
    assert with_error(10.0, Interval(8, 13), Interval(10, 10), 0.1).high == pytest.approx(13)
    assert with_error(10.0, Interval(10, 10), Interval(8, 13), 0.1).low == pytest.approx(8)


def test_the_band_of_a_field():
    sparse, dense, flagged = (
        Band(flag, below, 40, 1, 1, 1, 1.0) for flag, below in ((False, 0.1), (False, 1.0), (True, 1.0))
    )
    every = (sparse, dense, flagged)
    assert band_of(every, flagged=False, covered=0.0, doubt=0.3) is sparse
    assert band_of(every, flagged=False, covered=0.1, doubt=0.3) is dense
    assert band_of(every, flagged=False, covered=1.0, doubt=0.3) is dense
    assert band_of(every, flagged=True, covered=0.5, doubt=3.0) is flagged
    assert band_of((sparse,), flagged=False, covered=0.5, doubt=0.0) is None
    assert band_of((), flagged=False, covered=0.5, doubt=0.0) is None
    sure = dataclasses.replace(sparse, doubt_below=0.2)
    assert band_of((sure, *every), flagged=False, covered=0.0, doubt=0.1) is sure
    assert band_of((sure, *every), flagged=False, covered=0.0, doubt=0.2) is sparse
    assert list(map(str, (sure, dense, flagged))) == [
        "covered below 0.1, doubt below 0.2",
        "covered below 1, doubt below 1",
        "flagged",
    ]


def test_shares_and_their_intervals():
    assert (BAND.precision, BAND.recall) == (2800 / 2950, 2800 / 3000)
    low, high = stats.beta.ppf([0.025, 0.975], 2800.5, 150.5)
    assert (BAND.precision_interval.low, BAND.precision_interval.high) == pytest.approx((low, high))
    for part, whole, ends in (
        (2800, 2950, BAND.precision_interval),
        (2800, 3000, BAND.recall_interval),
    ):
        assert (ends.low, ends.high) == pytest.approx(proportion_confint(part, whole, method="jeffreys"))
    nothing = Band(False, 1.0, 40, 0, 0, 0, 1.0)
    assert math.isnan(nothing.precision)
    assert math.isnan(nothing.recall)
    assert (nothing.recall_interval.low, nothing.recall_interval.high) == (0, 1)


@pytest.mark.parametrize(
    "changed",
    [
        {"flagged": 1},
        {"fields": -1},
        {"matched": 3001},
        {"matched": 2951},
        {"widening": math.inf},
        {"true": ""},
    ],
)
def test_what_cannot_be_is_known(changed):
    assert BAND.is_possible
    assert not dataclasses.replace(BAND, **changed).is_possible
