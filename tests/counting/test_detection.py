"""What a model's errors add to a count: quantiles of scipy.stats, and how often intervals hold the truth."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats
from statsmodels.stats.proportion import proportion_confint

from beadctl.counting.detection import (
    Band,
    band_of,
    combined_interval,
    detection_interval,
    field_interval,
    pooled_interval,
    with_error,
)
from beadctl.counting.interval import Interval, poisson_interval

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
    gone = count - ends.low
    assert stats.betabinom.sf(math.floor(gone + 1e-9) - 1, count, wrong, matched) >= 0.025 - 1e-6
    if gone < count:
        assert stats.betabinom.sf(math.ceil(gone - 1e-9) - 1, count, wrong, matched) <= 0.025 + 1e-6
        assert gone > 0
    whole = math.floor(ends.high + 1e-6)
    assert stats.betabinom.cdf(count, whole, matched, missed) >= 0.025 - 1e-6
    assert stats.betabinom.cdf(count, whole + 1, matched, missed) < 0.025 + 1e-6
    assert 0 <= ends.low <= count < ends.high


@given(st.integers(0, 300), bands())
def test_between_whole_numbers_the_chance_is_that_of_incomplete_beta_functions(count, band):
    """The chance to find no more than so many is one of these for a known recall; here is its mean."""
    high = detection_interval(count, band).high
    quantiles = (np.arange(1000) + 0.5) / 1000
    missed = stats.beta.ppf(quantiles, band.true - band.matched + 0.5, band.matched + 0.5)
    chance = stats.beta.cdf(missed, high - count, count + 1).mean()
    assert chance == pytest.approx(0.025, rel=0.02)


def test_one_bead_may_be_wrong():
    """The chance falls geometrically between no wrong bead and one."""
    band = Band(False, 1.0, 40, 10**6, 10**6, 99 * 10**4, 1.0)
    ends = detection_interval(1, band)
    assert ends.low == pytest.approx(1 - math.log(0.025) / math.log(0.01), rel=1e-3)
    # Where more than 2.5 % of all are wrong, it may be none.
    assert detection_interval(1, dataclasses.replace(band, matched=97 * 10**4)).low == 0


@given(bands())
def test_an_empty_field_may_hold_missed_beads(band):
    """As many as are all missed with 2.5 %, by logarithms of beta functions."""
    ends = detection_interval(0, band)
    matched, missed = band.matched + 0.5, band.true - band.matched + 0.5
    assert ends.low == 0 < ends.high
    chance = special.betaln(missed + ends.high, matched) - special.betaln(missed, matched)
    assert chance == pytest.approx(math.log(0.025), abs=1e-4)
    field = field_interval(0, ends, Interval(0, 0), band.widening)
    assert (field.low, field.high) == (0, pytest.approx(ends.high))


@pytest.mark.parametrize("recall", [0.3, 0.6, 0.9, 0.99, 0.999])
def test_the_mean_of_an_empty_field_is_no_lower_than_its_limit_by_the_recall(recall):
    """Beads are found at a rate of the mean times the recall, whose upper limit is that of no bead."""
    band = Band(False, 1.0, 40, 10**5, 10**5, round(recall * 10**5), 1.0)
    field = field_interval(0, detection_interval(0, band), Interval(0, 0), band.widening)
    assert combined_interval(0, field).high > poisson_interval(0).high / recall


def test_fewer_beads_are_missed_where_the_recall_is_known_and_high():
    ends = [
        detection_interval(0, Band(False, 1.0, 40, true, true, matched, 1.0)).high
        for true, matched in ((100, 50), (100, 90), (100, 99), (10_000, 9_900), (10_000, 9_999))
    ]
    assert ends == sorted(ends, reverse=True)
    # With a recall that is known: ln 0.025 over ln of the share that is missed.
    known = detection_interval(0, Band(False, 1.0, 40, 10**6, 10**6, 9 * 10**5, 1.0))
    assert known.high == pytest.approx(math.log(0.025) / math.log(0.1), rel=1e-3)


FIELDS = st.lists(st.tuples(st.integers(0, 50), st.floats(0, 1), st.floats(0, 9)), min_size=1, max_size=8)


@given(FIELDS)
def test_fields_add_up_and_empty_ones_count_once(fields):
    counts = [count for count, _, _ in fields]
    ends = [Interval(count * low, count + more) for count, low, more in fields]
    pooled = pooled_interval(counts, ends)
    some = [one for count, one in zip(counts, ends, strict=True) if count]
    empty = [one.high for count, one in zip(counts, ends, strict=True) if not count]
    assert pooled.low == pytest.approx(sum(one.low for one in some))
    assert pooled.high == pytest.approx(sum(one.high for one in some) + max(empty, default=0))
    assert pooled.low <= sum(counts) <= pooled.high


def test_fields_without_beads_hold_no_more_than_one_does():
    """Of beads in any of five fields, all are missed with the chance that they are in one."""
    rng, recall = np.random.default_rng(6), 0.55
    band = Band(False, 1.0, 40, 10**6, 10**6, int(recall * 10**6), 1.0)
    ends = field_interval(0, detection_interval(0, band), Interval(0, 0), 1.0)
    limit = math.floor(pooled_interval([0] * 5, [ends] * 5).high)
    for number, above in ((limit, True), (limit + 1, False)):
        places = rng.integers(0, 5, (40_000, number))
        found = np.stack([rng.binomial((places == field).sum(axis=1), recall) for field in range(5)])
        assert bool(np.mean(found.sum(axis=0) == 0) > 0.025) is above


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


@given(st.integers(1, 5000))
def test_without_errors_the_combined_interval_is_that_of_jeffreys(count):
    ends = combined_interval(count, Interval(count, count))
    low, high = stats.gamma.ppf([0.025, 0.975], count + 0.5)
    assert ends.high == pytest.approx(high, rel=1e-9)
    assert ends.low == pytest.approx(low, rel=1e-9)


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
