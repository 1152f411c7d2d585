"""Legend, scale bar and numbers of pictures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beadctl.results.caption import Entry, bar_um, captioned, number


@given(st.integers(50, 5000), st.floats(1e-3, 1e3))
def test_a_scale_bar_is_round_and_neither_long_nor_short(width, px_um):
    length = bar_um(width, px_um)
    assert 0.099 * width * px_um <= length <= 0.2501 * width * px_um
    assert f"{length:.0e}"[0] in "125"
    assert float(f"{length:.0e}") == pytest.approx(length)


def test_the_picture_stays_and_the_bar_has_its_length():
    picture = np.full((50, 400), 99, np.uint8)
    made = captioned(picture, [Entry((253, 254), "7 beads")], 0.5, 249)
    np.testing.assert_array_equal(made[:50], picture)
    below = made[50:]
    assert 10 < len(below) < 40
    assert {253, 254} <= set(np.unique(below))
    # 50 um, and text is less wide.
    longest = max(len(run) for row in below for run in "".join("#" if v == 249 else " " for v in row).split())
    assert longest == 100


def test_what_has_no_room_goes_into_the_next_line_or_is_left_out():
    entries = [Entry((253,), "40 low-confidence"), Entry((254,), "200 other beads")]
    heights = [
        captioned(np.zeros((9, width), np.uint8), entries, None, 249).shape[0] for width in (500, 200, 20)
    ]
    assert heights == [9 + 24, 9 + 48, 9]


def test_numbers_lie_on_large_beads_and_beside_small_ones():
    for diameter, inside in ((60, True), (6, False)):
        picture = np.full((80, 80), 120, np.uint8)
        number(picture, [(42, 40, 40, diameter)], 12, 249)
        changed = np.argwhere(picture != 120)
        distance = np.hypot(*(changed - 40).T)
        assert 20 < len(changed) < 400
        assert distance.max() < 30
        assert (distance.min() < 2) == inside
    corner = np.full((20, 30), 120, np.uint8)
    number(corner, [(42, 0, 0, 60), (7, 19, 29, 60)], 12, 249)
    assert corner.min() == 0
    assert corner.max() > 200
    tiny = np.zeros((3, 3), np.uint8)
    number(tiny, [(1, 1, 1, 3)], 12, 249)
    assert not tiny.any()
