"""What a finder of beads says where edges raise a doubt."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beadctl.audit.detections import Detections, growth, mates, may_move, overlap, unseen
from beadctl.audit.drift import by_beads
from beadctl.audit.edges import edges, outlines
from beadctl.audit.fit import MaskFit
from beadctl.audit.missed import unmarked

LIES = MaskFit(0.8, 0.8, 30.0, True, 0.0, 0.0)


def discs(centres, radius_px=6.0, shape=(80, 96)):
    """Label image of discs."""
    y, x = np.indices(shape)
    labels = np.zeros(shape, np.uint32)
    for number, (cy, cx) in enumerate(centres, start=1):
        labels[np.hypot(y - cy, x - cx) <= radius_px] = number
    return labels


GRID = [(y, x) for y in range(12, 80, 19) for x in range(12, 96, 18)]


def test_overlap_is_the_jaccard_of_pixels():
    one, other = discs(GRID), discs(GRID, 3.0)
    assert overlap(one, one) == 1.0
    assert overlap(one, other) == pytest.approx((other > 0).sum() / (one > 0).sum())
    assert overlap(0 * one, 0 * one) == 0.0


@pytest.mark.parametrize("move", [(0, 1), (-1, 2), (3, 0)])
def test_a_mask_may_move_to_where_beads_are_found_and_not_away_from_there(move):
    there = discs(GRID)
    lies_off = np.roll(there, (-move[0], -move[1]), (0, 1))
    by = np.array([[move[0], 0, 0], [move[1], 0, 0]], float)
    assert may_move(lies_off, there, by)
    assert not may_move(there, there, by)


def test_a_mask_of_wrong_size_may_be_scaled_about_the_middle():
    there = discs(GRID)
    small = discs([(40 + (y - 40) * 0.95, 48 + (x - 48) * 0.95) for y, x in GRID])
    larger, smaller = ([[0, by, 0], [0, 0, by]] for by in (0.05, -0.05))
    assert may_move(small, there, np.array(larger))
    assert not may_move(there, there, np.array(larger))
    assert not may_move(there, there, np.array(smaller))


def test_a_finder_that_sees_other_things_has_no_say():
    there = discs([(y + 9, x + 9) for y, x in GRID])
    assert may_move(discs(GRID), there, np.array([[1.0, 0, 0], [0, 0, 0]]))


def test_marks_under_which_nothing_is_found():
    assert np.flatnonzero(unseen(discs(GRID), discs(GRID[:3] + GRID[4:]))).tolist() == [3]
    assert unseen(np.zeros((9, 9), np.uint32), discs(GRID, shape=(9, 9))).shape == (0,)


@pytest.mark.parametrize("radius_px", [4.0, 6.0, 9.0])
def test_growth_is_that_of_the_diameters(radius_px):
    assert growth(discs(GRID), discs(GRID, radius_px)) == pytest.approx(radius_px / 6 - 1, abs=0.05)


def moved(centres, move):
    """Centres moved by a plane of moves about the middle of the image."""
    away = np.array([(1, y - 40, x - 48) for y, x in centres]) @ np.array(move).T
    return [tuple(centre) for centre in np.array(centres) + away]


# Numbers for which no disc of GRID leaves its place by more than its radius, nor touches the border.
SHIFTS = st.floats(-1.5, 1.5)
SLOPES = st.floats(-0.04, 0.04)


@settings(max_examples=40, deadline=None)
@given(SHIFTS, SHIFTS, SLOPES, SLOPES, SLOPES, SLOPES)
def test_found_beads_tell_how_a_mask_drifts(dy, dx, yy, yx, xy, xx):
    move = np.array([[dy, yy, yx], [dx, xy, xx]])
    found = by_beads(discs(GRID), discs(moved(GRID, move)))
    assert found is not None
    np.testing.assert_allclose(found.move[:, 0], move[:, 0], atol=0.25)
    np.testing.assert_allclose(found.move[:, 1:], move[:, 1:], atol=0.012)
    assert found.scale == pytest.approx((yy + xx) / 2, abs=0.012)
    assert found.turn_deg == pytest.approx(np.degrees((yx - xy) / 2), abs=0.7)
    spread = np.std(np.array(moved(GRID, move)) - np.array(GRID), axis=0, ddof=1)
    assert found.spread_px == pytest.approx(np.hypot(*spread), abs=0.3)


def test_a_drift_is_not_told_by_few_beads_nor_by_those_that_the_border_cuts():
    assert by_beads(discs(GRID[:5]), discs(GRID[:5])) is None
    rim = [(y, x) for y in (0, 79) for x in range(8, 96, 16)]
    assert by_beads(discs(rim), discs([(y, x + 2) for y, x in rim])) is None


def test_a_bead_that_went_astray_does_not_make_a_drift():
    there = discs([(GRID[0][0] + 4, GRID[0][1] + 3), *GRID[1:]])
    found = by_beads(discs(GRID), there)
    assert found.spread_px < 0.1
    assert found.told_by == len(GRID) - 1


def test_mates_are_one_mark_and_one_bead():
    # Two marks in one found bead, and two found beads in one mark, are no mates; a speck in a mark is none.
    marks = discs([(20, 14), (20, 26), (50, 20), (50, 70)])
    there = discs([(20, 20)], 14.0)
    there[discs([(50, 16), (50, 24)], 3.0) > 0] = 2
    there[discs([(50, 24)], 3.0) > 0] = 3
    there[discs([(50, 70)], 5.0) > 0] = 4
    one, other = mates(marks, there, 4.0)
    assert (one.tolist(), other.tolist()) == ([4], [4])
    assert mates(marks, there, 1.2)[0].tolist() == []


def test_growth_without_a_common_bead_is_unknown():
    assert np.isnan(growth(discs(GRID[:1]), discs(GRID[1:])))


def scene(centres, level=200.0):
    """Image of bright discs on noise."""
    image = np.random.default_rng(0).normal(20, 2, (80, 96))
    image[discs(centres) > 0] = level
    return image


def counted(marked, there, image, confidence=None):
    """What is without a mark."""
    outline = outlines(marked)
    sure = np.full(int(there.max()) + 1, 0.9) if confidence is None else confidence
    return unmarked(outline, edges(image, 0.8), marked, Detections(there, sure), LIES, 0.0)


def test_found_beads_without_a_mark_are_counted_beside_those_with_one():
    found = counted(discs(GRID[2:]), discs(GRID), scene(GRID))
    assert (found.beads, found.beside) == (2, len(GRID) - 2)
    assert found.share == 2 / len(GRID)


def test_a_heap_found_as_one_bead_has_a_hole_where_a_mark_is_missing():
    chain = [(40, x) for x in range(8, 96, 11)]
    heap = (discs(chain) > 0).astype(np.uint32)
    found = counted(discs(chain[:4] + chain[5:]), heap, scene(chain))
    assert (found.beads, found.beside) == (1, len(chain) - 1)


def test_a_found_bead_counts_if_the_finder_is_as_sure_of_it_as_of_the_marked_ones():
    sure = np.full(len(GRID) + 1, 0.9)
    for confidence, count in ((0.85, 1), (0.7, 0)):
        sure[1] = confidence
        assert counted(discs(GRID[1:]), discs(GRID), scene(GRID), sure).beads == count


def test_beads_that_are_found_smaller_than_marked_count_too():
    found = counted(discs(GRID[2:], 6.0), discs(GRID, 4.0), scene(GRID))
    assert (found.beads, found.beside) == (2, len(GRID) - 2)


def test_beads_of_the_other_polarity_count_where_marked_ones_have_both():
    dark = GRID[1::2]
    image = scene(GRID)
    image[discs(dark) > 0] = -160.0
    assert counted(discs(GRID[2:]), discs(GRID), image).beads == 2


@pytest.mark.parametrize("why", ["rims", "large", "small", "faint", "long"])
def test_what_does_not_look_like_the_marked_beads_is_none(why):
    marked, image = discs(GRID[1:]), scene(GRID)
    other = {"rims": 7.0, "large": 12.0, "small": 3.0, "faint": 6.0, "long": 6.0}[why]
    there = discs(GRID[1:], 7.0 if why == "rims" else 6.0)
    if why != "rims":
        lone = discs(GRID[:1], other) > 0
        if why == "long":
            lone[8:17, 2:22] = True
        image[(image > 100) & (discs(GRID[:1]) > 0)] = 20
        image[lone] = 60 if why == "faint" else 200
        there[lone] = 99
    assert counted(marked, there, image).beads == 0
