"""Statistics of groups are those of scipy.stats on the same numbers, and edge cases have figures or nan."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from beadctl.counting.groups import Field, Source, group_statistics, outliers, over_dispersion
from beadctl.counting.interval import poisson_interval

COUNTS = st.lists(st.integers(0, 500), min_size=2, max_size=12)
AREAS = st.floats(0.1, 1e6)


def group(counts, areas=None, replicates=None):
    areas, replicates = areas or [1.0] * len(counts), replicates or [""] * len(counts)
    return group_statistics(
        [Field(f"f{k}", *values) for k, values in enumerate(zip(counts, areas, replicates, strict=True))]
    )


@given(COUNTS, AREAS)
def test_fields_of_one_size(counts, area):
    found = group(counts, [area] * len(counts))
    assert (found.fields, found.replicates, found.beads) == (len(counts), 0, sum(counts))
    assert found.mean_area == pytest.approx(area)
    assert found.mean == pytest.approx(np.mean(counts))
    assert found.sd == pytest.approx(np.std(counts, ddof=1), abs=1e-9)
    assert found.standard_error == pytest.approx(stats.sem(counts), abs=1e-9)
    if len(set(counts)) > 1:
        assert found.cv == pytest.approx(stats.variation(counts, ddof=1))
        low, high = stats.t.interval(0.95, len(counts) - 1, np.mean(counts), stats.sem(counts))
        assert (found.interval.low, found.interval.high) == pytest.approx((max(0, low), high), abs=1e-7)
        assert found.source is Source.FIELDS
    else:
        ends = poisson_interval(sum(counts))
        assert found.interval.high == pytest.approx(ends.high / len(counts))
        assert found.source is Source.POISSON


@given(st.lists(st.tuples(st.integers(0, 300), AREAS), min_size=2, max_size=9))
def test_the_dispersion_is_that_of_a_chi_squared_test(fields):
    counts, areas = np.array(fields, float).T
    index, p = over_dispersion(counts, areas)
    if not counts.any():
        assert math.isnan(index)
        assert math.isnan(p)
        return
    total, expected_p = stats.chisquare(counts, areas / areas.sum() * counts.sum())
    assert index == pytest.approx(total / (len(fields) - 1), rel=1e-6)
    assert p == pytest.approx(expected_p, rel=1e-6, abs=1e-12)


def test_the_p_value_of_poisson_counts_is_even_and_that_of_clusters_small():
    rng = np.random.default_rng(3)
    fields = rng.poisson(30, (2000, 8)).astype(float)
    p = [over_dispersion(row, np.ones(8))[1] for row in fields]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.015)
    clustered = rng.negative_binomial(5, 5 / 35, (200, 8)).astype(float)
    assert np.mean([over_dispersion(row, np.ones(8))[1] < 0.05 for row in clustered]) > 0.95


@given(st.lists(st.integers(1, 200), min_size=2, max_size=8), AREAS)
def test_counts_in_proportion_to_the_areas_are_equal(counts, area):
    """Fields of other sizes are scaled to the mean field."""
    found = group(counts, [area * count for count in counts])
    assert found.mean == pytest.approx(np.mean(counts))
    assert found.sd == pytest.approx(0, abs=1e-6 * found.mean)
    assert found.source is Source.POISSON
    assert found.dispersion == pytest.approx(0, abs=1e-9)


@given(st.lists(st.tuples(st.integers(0, 200), st.sampled_from("abc")), min_size=2, max_size=12))
def test_replicates_are_the_units_where_there_are_several(fields):
    counts, names = zip(*fields, strict=True)
    found = group(counts, replicates=names)
    means = [np.mean([count for count, name in fields if name == one]) for one in sorted(set(names))]
    assert found.replicates == len(means)
    if len(means) == 1:
        assert found.mean == pytest.approx(np.mean(counts))
        assert found.source is not Source.REPLICATES
    elif np.ptp(means) > 1e-9:
        low, high = stats.t.interval(0.95, len(means) - 1, np.mean(means), stats.sem(means))
        assert found.mean == pytest.approx(np.mean(means))
        assert (found.interval.low, found.interval.high) == pytest.approx((max(0, low), high), abs=1e-7)
        assert found.source is Source.REPLICATES


def test_a_replicate_that_one_field_lacks_is_not_used():
    assert group([1, 2, 3], replicates=["a", "b", ""]).replicates == 0


@pytest.mark.parametrize("counts", [[0, 9], [5, 5], [0, 0], [0, 0, 1], [4]])
def test_edge_cases_equal_scipy_on_the_same_numbers(counts):
    found = group(counts)
    n, mean = len(counts), np.mean(counts)
    assert (found.fields, found.mean) == (n, mean)
    if n > 1:
        assert found.sd == pytest.approx(stats.tstd(counts))
        assert found.standard_error == pytest.approx(stats.sem(counts))
    if n > 1 and np.ptp(counts):
        low, high = stats.t.interval(0.95, n - 1, mean, stats.sem(counts))
        assert found.source is Source.FIELDS
    else:
        low, high = (quantile / n for quantile in (0.0, stats.chi2.ppf(0.975, 2 * sum(counts) + 2) / 2))
        if sum(counts):
            low = stats.chi2.ppf(0.025, 2 * sum(counts)) / 2 / n
        assert found.source is Source.POISSON
    assert (found.interval.low, found.interval.high) == pytest.approx((max(0, low), high))
    if n > 1 and sum(counts):
        assert found.dispersion_p == pytest.approx(stats.chisquare(counts).pvalue)
    else:
        assert math.isnan(found.dispersion_p)
    assert found.outliers == ()


@given(st.lists(st.integers(0, 500), min_size=3, max_size=12))
def test_outliers_are_those_of_the_median_deviation_of_scipy(counts):
    root = 2 * np.sqrt(np.array(counts) + 0.375)
    scale = max(1.0, stats.median_abs_deviation(root, scale="normal"))
    far = np.abs(root - np.median(root)) / scale
    # The constant of the scale has four digits here.
    clear = np.abs(far - 3.5) > 1e-3
    found = np.isin(np.arange(len(counts)), outliers(np.array(counts, float)))
    np.testing.assert_array_equal(found[clear], (far > 3.5)[clear])


def test_one_field_has_the_exact_interval():
    found = group([7])
    assert (found.interval, found.source) == (poisson_interval(7), Source.POISSON)
    assert [math.isnan(value) for value in (found.sd, found.cv, found.dispersion)] == [True] * 3


def test_fields_without_beads_have_an_upper_end():
    found = group([0, 0, 0, 0])
    assert (found.mean, found.sd, found.interval.low) == (0, 0, 0)
    assert found.interval.high == pytest.approx(3.6889 / 4, abs=1e-4)
    assert math.isnan(found.cv)


def test_outliers_are_named_and_poisson_counts_have_few():
    assert group([50, 47, 55, 4, 52]).outliers == ("f3",)
    assert group([50, 47]).outliers == ()
    rng = np.random.default_rng(5)
    found = sum(outliers(rng.poisson(40, 10).astype(float)).size for _ in range(500))
    assert found / 5000 < 0.005
    # A field of another size is no outlier.
    assert group([50, 47, 55, 5], [1.0, 1.0, 1.0, 0.1]).outliers == ()
