"""Diameters: percentiles, modes, histogram and share against other implementations, and on known mixtures."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from statsmodels.nonparametric.kde import KDEUnivariate
from statsmodels.stats.proportion import proportion_confint

from beadctl.counting.sizes import Nominal, modes, share_inside, size_histogram, size_statistics
from beadctl.errors import SettingsError

DIAMETERS = arrays(float, st.integers(1, 60), elements=st.floats(0.5, 50))


@given(DIAMETERS)
def test_the_figures_are_those_of_pandas(diameters):
    found, series = size_statistics(diameters), pd.Series(diameters)
    assert found.mean == pytest.approx(series.mean())
    assert (found.d10, found.d50, found.d90) == pytest.approx(tuple(series.quantile([0.1, 0.5, 0.9])))
    if diameters.size > 1:
        assert found.sd == pytest.approx(series.std(), abs=1e-9)
        assert found.cv == pytest.approx(series.std() / series.mean(), abs=1e-9)
    else:
        assert math.isnan(found.sd)


@given(DIAMETERS)
def test_a_histogram_holds_each_bead_once_and_has_the_area_one(diameters):
    histogram = size_histogram(diameters)
    assert histogram.beads.sum() == diameters.size
    assert histogram.beads.size <= 100
    assert (histogram.density * np.diff(histogram.edges)).sum() == pytest.approx(1)
    assert histogram.edges[0] <= diameters.min()
    assert diameters.max() <= histogram.edges[-1]


@pytest.mark.parametrize(("diameter", "beads"), [(0.3, 1), (0.3, 5), (6.5, 2), (2e-4, 3)])
def test_equal_diameters_are_one_bar_above_zero(diameter, beads):
    """Also where um of files with unlike pixels differ in the last digit, as 10 x 0.3 and 30 x 0.1."""
    diameters = np.full(beads, diameter)
    diameters[-1] = np.nextafter(diameter, 100)
    histogram = size_histogram(diameters)
    assert histogram.beads.tolist() == [beads]
    assert 0 < histogram.edges[0] < diameter < histogram.edges[1]
    assert histogram.density * np.diff(histogram.edges) == pytest.approx(1)


@given(DIAMETERS.filter(lambda diameters: diameters.size == 1 or np.ptp(diameters) > 1e-6))
def test_the_bars_are_those_of_sturges_or_of_the_width_of_freedman_and_diaconis(diameters):
    bars = np.log2(diameters.size) + 1
    if iqr := stats.iqr(diameters):
        bars = max(bars, np.ptp(diameters) / (2 * iqr / np.cbrt(diameters.size)))
    assert abs(size_histogram(diameters).beads.size - min(100, np.ceil(bars))) <= (abs(bars % 1) < 1e-9)


def test_an_outlier_does_not_make_a_thousand_bars():
    diameters = np.append(np.random.default_rng(0).normal(5, 0.01, 2000), 500.0)
    assert size_histogram(diameters).beads.size <= 100
    assert modes(diameters) == pytest.approx([5], abs=0.01)
    # Also where the quartiles are equal.
    assert modes(np.repeat([5.0, 8.0, 500.0], [250, 80, 1])) == pytest.approx([5, 8], abs=0.01)


@pytest.mark.parametrize("seed", range(5))
def test_modes_of_mixtures(seed):
    rng = np.random.default_rng(seed)
    one = rng.normal(5, 0.3, 400)
    assert modes(one) == pytest.approx([5], abs=0.15)
    two = np.append(rng.normal(5, 0.3, 400), rng.normal(8, 0.4, 250))
    assert modes(two) == pytest.approx([5, 8], abs=0.2)
    # A tenth as many beads of half the size, and scale changes nothing else.
    few = np.append(one, rng.normal(2.5, 0.2, 100))
    assert modes(few) == pytest.approx([5, 2.5], abs=0.2)
    assert modes(few * 1000) == pytest.approx([1000 * mode for mode in modes(few)])
    assert len(modes(one[:12])) == 1


def peaks_of_statsmodels(diameters):
    """Peaks of its density with Silverman's width, as high above the valleys beside them as `modes` says."""
    kde = KDEUnivariate(diameters)
    kde.fit(bw="silverman", fft=False)
    points = np.linspace(diameters.min(), diameters.max(), 2000)
    heights = np.pad(kde.evaluate(points), 1)
    least, found = (0.1 + 1 / math.sqrt(diameters.size)) * heights.max(), []
    for place in range(1, heights.size - 1):
        if heights[place - 1] < heights[place] >= heights[place + 1]:
            higher = np.flatnonzero(heights > heights[place])
            left, right = higher[higher < place], higher[higher > place]
            valleys = (
                heights[left[-1] if left.size else 0 : place].min(),
                heights[place + 1 : right[0] + 1 if right.size else None].min(),
            )
            if heights[place] - max(valleys) >= least:
                found.append((heights[place], points[place - 1]))
    return [point for _, point in sorted(found, reverse=True)]


@pytest.mark.parametrize("seed", range(6))
def test_modes_are_the_peaks_of_the_density_of_statsmodels(seed):
    rng = np.random.default_rng(seed)
    means = rng.uniform(3, 12, rng.integers(1, 4))
    diameters = np.concatenate([rng.normal(mean, 0.3, rng.integers(10, 60)) for mean in means])
    # Diameters are put into 1024 bins first.
    assert modes(diameters) == pytest.approx(peaks_of_statsmodels(diameters), abs=np.ptp(diameters) / 500)


@given(DIAMETERS)
def test_there_is_a_mode_and_it_lies_among_the_diameters(diameters):
    found = modes(diameters)
    assert found
    assert all(diameters.min() - 1e-6 <= mode <= diameters.max() + 1e-6 for mode in found)


def test_equal_beads_have_one_mode():
    assert modes(np.full(9, 4.5)) == (4.5,)
    assert modes(np.array([3.0])) == (3.0,)


@given(DIAMETERS, st.floats(0.5, 50), st.floats(0.01, 10))
def test_the_share_and_its_interval_are_those_of_statsmodels(diameters, nominal, tolerance):
    found = share_inside(diameters, Nominal(nominal, tolerance))
    inside = sum(abs(one - nominal) <= tolerance + 1e-9 * nominal for one in diameters.tolist())
    low, high = proportion_confint(inside, diameters.size, method="wilson")
    assert found.beads == inside
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high), abs=1e-9)


def test_limits_of_a_tolerance_are_inside():
    assert share_inside(np.array([0.95, 1.05, 0.94, 1.06]), Nominal.parse(1.0, "5%")).beads == 2
    assert Nominal.parse(2.0, " 0.1 um") == Nominal(2.0, 0.1)
    for text in ("5", "-5%", "five", "5 mm", ""):
        with pytest.raises(SettingsError, match=r"write 5% or 0\.1um"):
            Nominal.parse(1.0, text)
