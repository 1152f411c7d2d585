"""What a count of all visible beads adds to their density, against fields of a known density."""

import numpy as np
import pytest
from helpers.fields import SHAPE, SPACING, field

from beadctl.counting.border import matters, overstatement
from beadctl.segmentation.measure import measure


def test_the_overstatement_is_that_of_fields_of_a_known_density():
    rng = np.random.default_rng(8)
    tables = [measure(field(rng)) for _ in range(100)]
    beads, cut = sum(map(len, tables)), sum(int(table.border.sum()) for table in tables)
    true = len(tables) * SHAPE[0] * SHAPE[1] / SPACING**2
    assert overstatement(beads, cut) == pytest.approx(beads / true - 1, abs=0.015)
    assert beads / true - 1 > 0.1


def test_a_field_without_beads_overstates_nothing():
    assert overstatement(0, 0) == 0


def test_the_overstatement_matters_where_it_is_neither_small_nor_chance():
    assert matters(140, 36)
    assert not matters(1, 1)
    assert not matters(20, 8)
    assert not matters(20_000, 400)
    # Of 2100 beads, 100 and 99 whose centre is outside: 5 %, and less.
    assert matters(2100, 200)
    assert not matters(2100, 198)
