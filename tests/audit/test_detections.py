"""Masks compared with the beads that a model detects."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beadctl.audit.detections import JACCARD, Detections
from beadctl.audit.drift import drift_from_detections
from beadctl.audit.edges import edge_map, trace_outlines
from beadctl.audit.fit import MaskFit, PairFeatures
from beadctl.audit.missed import missed_by_detections

FITTING = MaskFit(0.8, 0.8, 30.0, True, 0.0, 0.0)


def discs(centres, radius_px=6.0, shape=(80, 96)):
    """Label image of discs."""
    y, x = np.indices(shape)
    labels = np.zeros(shape, np.uint32)
    for number, (cy, cx) in enumerate(centres, start=1):
        labels[np.hypot(y - cy, x - cx) <= radius_px] = number
    return labels


def detections(centres, radius_px=6.0, shape=(80, 96)):
    """Discs that a model detects."""
    return detected(discs(centres, radius_px, shape))


def detected(labels, confidence=0.9):
    """A label image as a model detects it, with one confidence or one of each label."""
    return Detections(labels, np.full(int(labels.max()) + 1, confidence))


GRID = [(y, x) for y in range(12, 80, 19) for x in range(12, 96, 18)]


def test_overlap_is_the_jaccard_index_of_pixels():
    large, small = discs(GRID), discs(GRID, 3.0)
    assert detected(large).jaccard(large) == 1.0
    assert detected(small).jaccard(large) == pytest.approx((small > 0).sum() / (large > 0).sum())
    assert detected(0 * large).jaccard(0 * large) == 0.0


def test_detections_inside_of_marks_are_parts_of_the_marked_beads():
    """Bright centres of lenses overlap too little for a Jaccard index; those of another image lie between."""
    marks, centres = discs(GRID, 8.0), detections(GRID, 3.0)
    assert centres.jaccard(marks) < JACCARD
    assert centres.agreement(marks) == centres.inside
    assert centres.inside(marks) == 1.0
    moved = detections([(y + 9, x + 9) for y, x in GRID if y + 9 < 76 and x + 9 < 92], 3.0)
    assert moved.agreement(marks) is None
    # Marks that cover nearly all of an image contain the detections of any image.
    assert centres.agreement(np.ones_like(marks)) is None
    # A move that takes the marks off them is not allowed.
    assert not centres.allow_move(marks, np.array([[7.0, 0, 0], [0, 0, 0]]))


def test_few_detections_tell_nothing():
    few = detections(GRID[:5], 3.0)
    assert few.agreement(discs(GRID, 8.0)) is None
    assert few.see(250)
    assert not few.see(251)


@pytest.mark.parametrize("move", [(0, 1), (-1, 2), (3, 0)])
def test_a_move_agrees_towards_the_detections_and_not_away_from_them(move):
    marks = discs(GRID)
    shifted = np.roll(marks, (-move[0], -move[1]), (0, 1))
    displacement = np.array([[move[0], 0, 0], [move[1], 0, 0]], float)
    assert detections(GRID).allow_move(shifted, displacement)
    assert not detections(GRID).allow_move(marks, displacement)


def test_scaling_about_the_middle_agrees_for_a_mask_of_wrong_size_only():
    small = discs([(40 + (y - 40) * 0.95, 48 + (x - 48) * 0.95) for y, x in GRID])
    larger, smaller = (np.array([[0, by, 0], [0, 0, by]]) for by in (0.05, -0.05))
    assert detections(GRID).allow_move(small, larger)
    assert not detections(GRID).allow_move(discs(GRID), larger)
    assert not detections(GRID).allow_move(discs(GRID), smaller)


def test_detections_elsewhere_do_not_rule_out_a_move():
    elsewhere = detections([(y + 9, x + 9) for y, x in GRID])
    assert elsewhere.allow_move(discs(GRID), np.array([[1.0, 0, 0], [0, 0, 0]]))


def test_undetected_marks():
    assert np.flatnonzero(detections(GRID[:3] + GRID[4:]).undetected(discs(GRID))).tolist() == [3]
    assert detections(GRID, shape=(9, 9)).undetected(np.zeros((9, 9), np.uint32)).shape == (0,)


@pytest.mark.parametrize("radius_px", [4.0, 6.0, 9.0])
def test_growth_is_that_of_the_diameters(radius_px):
    growth = detections(GRID, radius_px).relative_growth(discs(GRID))
    assert growth == pytest.approx(radius_px / 6 - 1, abs=0.05)


def displaced(centres, displacement):
    """Centres displaced about the middle of the image."""
    away = np.array([(1, y - 40, x - 48) for y, x in centres]) @ np.array(displacement).T
    return [tuple(centre) for centre in np.array(centres) + away]


# Displacements that leave every disc of GRID within a radius of its place, and off the border.
SHIFTS = st.floats(-1.5, 1.5)
SLOPES = st.floats(-0.04, 0.04)


@settings(max_examples=40, deadline=None)
@given(SHIFTS, SHIFTS, SLOPES, SLOPES, SLOPES, SLOPES)
def test_drift_is_measured_from_detections(dy, dx, yy, yx, xy, xx):
    displacement = np.array([[dy, yy, yx], [dx, xy, xx]])
    drift = drift_from_detections(discs(GRID), detections(displaced(GRID, displacement)))
    assert drift is not None
    np.testing.assert_allclose(drift.displacement[:, 0], displacement[:, 0], atol=0.25)
    np.testing.assert_allclose(drift.displacement[:, 1:], displacement[:, 1:], atol=0.012)
    assert drift.scale == pytest.approx((yy + xx) / 2, abs=0.012)
    assert drift.rotation_deg == pytest.approx(np.degrees((yx - xy) / 2), abs=0.7)
    spread = np.std(np.array(displaced(GRID, displacement)) - np.array(GRID), axis=0, ddof=1)
    assert drift.spread_px == pytest.approx(np.hypot(*spread), abs=0.3)


def test_drift_is_unknown_for_few_beads_and_for_beads_at_the_border():
    assert drift_from_detections(discs(GRID[:5]), detections(GRID[:5])) is None
    at_border = [(y, x) for y in (0, 79) for x in range(8, 96, 16)]
    assert drift_from_detections(discs(at_border), detections([(y, x + 2) for y, x in at_border])) is None


def test_an_outlier_does_not_make_a_drift():
    outlier = detections([(GRID[0][0] + 4, GRID[0][1] + 3), *GRID[1:]])
    drift = drift_from_detections(discs(GRID), outlier)
    assert drift.spread_px < 0.1
    assert drift.inliers == len(GRID) - 1


def test_a_match_is_one_mark_and_one_detection():
    # Not matched: two marks in one detection, two detections in one mark, a small detection in a mark.
    marks = discs([(20, 14), (20, 26), (50, 20), (50, 70)])
    labels = discs([(20, 20)], 14.0)
    labels[discs([(50, 16), (50, 24)], 3.0) > 0] = 2
    labels[discs([(50, 24)], 3.0) > 0] = 3
    labels[discs([(50, 70)], 5.0) > 0] = 4
    matched_marks, matched_detections = detected(labels).match(marks, 4.0)
    assert (matched_marks.tolist(), matched_detections.tolist()) == ([4], [4])
    assert detected(labels).match(marks, 1.2)[0].tolist() == []


def test_growth_without_a_match_is_unknown():
    assert np.isnan(detections(GRID[1:]).relative_growth(discs(GRID[:1])))


def scene(centres, level=200.0):
    """Image of bright discs on noise."""
    image = np.random.default_rng(0).normal(20, 2, (80, 96))
    image[discs(centres) > 0] = level
    return image


def missed(marked, labels, image, confidence=0.9):
    """Beads without and with a mark."""
    pair = PairFeatures(marked, trace_outlines(marked), edge_map(image, 8.0), FITTING)
    return missed_by_detections(pair, detected(labels, confidence), 0.0)


def test_detections_without_a_mark_are_counted_apart_from_those_with_one():
    found = missed(discs(GRID[2:]), discs(GRID), scene(GRID))
    assert (found.missed, found.marked) == (2, len(GRID) - 2)
    assert found.share == 2 / len(GRID)


def test_a_cluster_detected_as_one_bead_has_a_hole_where_a_mark_is_missing():
    chain = [(40, x) for x in range(8, 96, 11)]
    cluster = (discs(chain) > 0).astype(np.uint32)
    found = missed(discs(chain[:4] + chain[5:]), cluster, scene(chain))
    assert (found.missed, found.marked) == (1, len(chain) - 1)


def test_a_missed_bead_is_about_as_confident_as_the_marked_ones():
    confidences = np.full(len(GRID) + 1, 0.9)
    for confidence, count in ((0.85, 1), (0.7, 0)):
        confidences[1] = confidence
        assert missed(discs(GRID[1:]), discs(GRID), scene(GRID), confidences).missed == count


def test_beads_detected_smaller_than_marked_count_too():
    found = missed(discs(GRID[2:], 6.0), discs(GRID, 4.0), scene(GRID))
    assert (found.missed, found.marked) == (2, len(GRID) - 2)


def test_missed_beads_of_the_other_polarity_count_where_marked_ones_have_both():
    image = scene(GRID)
    image[discs(GRID[1::2]) > 0] = -160.0
    assert missed(discs(GRID[2:]), discs(GRID), image).missed == 2


@pytest.mark.parametrize("why", ["rims", "large", "small", "faint", "long"])
def test_detections_unlike_the_marked_beads_are_not_missed_beads(why):
    marked, image = discs(GRID[1:]), scene(GRID)
    radius_px = {"rims": 7.0, "large": 12.0, "small": 3.0, "faint": 6.0, "long": 6.0}[why]
    labels = discs(GRID[1:], 7.0 if why == "rims" else 6.0)
    if why != "rims":
        single = discs(GRID[:1], radius_px) > 0
        if why == "long":
            single[8:17, 2:22] = True
        image[(image > 100) & (discs(GRID[:1]) > 0)] = 20
        image[single] = 60 if why == "faint" else 200
        labels[single] = 99
    assert missed(marked, labels, image).missed == 0
