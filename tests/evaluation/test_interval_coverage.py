"""Intervals of the default model on images of known mean: measured on some fields, checked on others."""

import numpy as np
import pytest
from benchmarks.bench_intervals import Counter, measured

from beadctl.evaluation.bands import fitted_bands
from beadctl.simulate import draw_suspension
from beadctl.simulate.suspension import KINDS_OF

SIZE = 96


@pytest.fixture(scope="module")
def judged():
    """Fields of every look at three densities, by figures that were measured on fields of other seeds."""
    count = Counter()
    rngs = (np.random.default_rng([77, index]) for index in range(240))
    bands = fitted_bands([count(draw_suspension(rng, SIZE)) for rng in rngs])
    assert len(bands) > 1
    return list(measured(list(KINDS_OF), count, bands, 4, 78, SIZE))


def test_the_combined_interval_holds_the_mean_as_stated(judged):
    held = np.mean([one.combined for one in judged])
    # Three standard errors of both sets together are 6 %.
    assert held == pytest.approx(0.95, abs=0.06)
    # The model errs, so chance alone is not enough.
    assert held > np.mean([one.poisson for one in judged]) + 0.01


def test_the_field_interval_holds_the_number_of_beads(judged):
    assert np.mean([one.field for one in judged]) >= 0.89
    # It is not wide on most fields.
    assert np.median([one.width for one in judged]) < 2
