"""Painting of beads, and the pixels of beads that overlap."""

from pathlib import Path

import numpy as np
import pytest
from helpers.annotating import circle, mask_of
from helpers.images import discs
from hypothesis import given
from hypothesis import strategies as st

from beadctl.annotations.canvas import HIDDEN, Canvas, Remark, remark_lines
from beadctl.annotations.outline import ellipse, filled
from beadctl.errors import AnnotationError

SHAPE = (24, 30)
HERE = Path("a.json")


def test_the_later_of_two_overlapping_beads_has_the_pixels():
    canvas = Canvas(HERE, SHAPE)
    for x, radius in ((8, 6), (14, 5), (20, 6)):
        canvas.outline([[circle(12, x, radius)]], "bead")
    rows, columns = np.indices(SHAPE)
    truth = np.zeros(SHAPE)
    for label, (x, radius) in enumerate(((8, 6), (14, 5), (20, 6)), start=1):
        truth[(rows - 12) ** 2 + (columns - x) ** 2 < radius**2] = label
    assert (canvas.finish().labels != truth).mean() < 0.01
    assert canvas.finish().remarks == ()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_smaller_bead_within_a_larger_one_stays_visible_in_any_order(order):
    canvas = Canvas(HERE, SHAPE)
    radii = (9, 3)
    for index in order:
        canvas.outline([[circle(12, 14, radii[index])]], "bead")
    labels = canvas.finish().labels
    small = labels == order.index(1) + 1
    np.testing.assert_array_equal(small, mask_of(filled([circle(12, 14, 3)], SHAPE), SHAPE))
    assert (labels > 0).sum() == mask_of(filled([circle(12, 14, 9)], SHAPE), SHAPE).sum()
    assert canvas.finish().remarks == ()


def test_a_bead_marked_twice_is_one_with_a_remark():
    canvas = Canvas(HERE, SHAPE)
    for _ in range(3):
        canvas.outline([[circle(12, 14, 5)]], "bead")
    labelled = canvas.finish()
    assert np.unique(labelled.labels).tolist() == [0, 3]
    assert labelled.remarks == (Remark(HIDDEN, 2),)


@given(st.lists(st.tuples(st.floats(2, 20), st.floats(2, 26), st.sampled_from([1.4, 3.2, 6.1])), max_size=12))
def test_only_beads_of_equal_size_hide_each_other(beads):
    canvas = Canvas(HERE, SHAPE)
    painted = 0
    for y, x, radius in beads:
        canvas.ellipse((y, x), (radius, radius), "bead")
        painted += 1
    labelled = canvas.finish()
    lost = sum(remark.count for remark in labelled.remarks if remark.words == HIDDEN)
    assert np.count_nonzero(np.unique(labelled.labels)) + lost == painted
    if len({radius for *_, radius in beads}) == len(beads):
        assert lost == 0
    union = np.zeros(SHAPE, bool)
    for y, x, radius in beads:
        union |= mask_of(ellipse((y, x), (radius, radius), SHAPE), SHAPE)
    np.testing.assert_array_equal(labelled.labels > 0, union)


@given(
    st.lists(st.tuples(st.integers(0, 46), st.integers(0, 58)), min_size=1, max_size=25, unique=True),
    st.sampled_from([1, 2, 5, 6.5, 9, 14]),
)
def test_each_pixel_of_discs_goes_to_the_nearest_centre(halves, diameter):
    centres = np.array(halves) / 2
    canvas = Canvas(HERE, SHAPE)
    canvas.discs(centres, diameter)
    labelled = canvas.finish()
    rows, columns = np.indices(SHAPE)
    squared = np.stack([(rows - y) ** 2 + (columns - x) ** 2 for y, x in centres])
    inside = (squared <= (diameter / 2) ** 2).any(0)
    assert (labelled.labels[inside] > 0).all()
    # A disc without a pixel centre gets the pixel of its own centre.
    empty = ~(squared <= (diameter / 2) ** 2).any((1, 2))
    assert (labelled.labels > 0).sum() - inside.sum() <= empty.sum()
    lost = sum(remark.count for remark in labelled.remarks)
    numbers = np.unique(labelled.labels[labelled.labels > 0])
    assert len(numbers) + lost == len(centres)
    if not lost and not empty.any():
        np.testing.assert_array_equal(labelled.labels[inside], squared.argmin(0)[inside] + 1)


def test_touching_discs_are_kept_apart():
    canvas = Canvas(HERE, SHAPE)
    canvas.discs(np.array([(12.0, 8.0), (12.0, 14.0)]), 10)
    labels = canvas.finish().labels
    assert (labels[12, 3:11] == 1).all()
    assert (labels[12, 12:20] == 2).all()
    assert labels[12, 11] == 1, "at equal distance the earlier one has it"
    # The border is half-way between the centres in every row.
    rows, columns = np.nonzero(labels)
    np.testing.assert_array_equal(labels[rows, columns], np.where(columns <= 11, 1, 2))


def test_equal_centres_are_one_bead_with_a_remark():
    canvas = Canvas(HERE, SHAPE)
    canvas.discs(np.array([(12.0, 8.0), (12.0, 8.0), (4.0, 20.0)]), 6)
    labelled = canvas.finish()
    assert np.unique(labelled.labels).tolist() == [0, 1, 2]
    assert labelled.remarks == (Remark("centres that lie on others, left out", 1),)


# --- what does not fit


@pytest.mark.parametrize("place", [(-9, 10), (40, 10), (10, -9), (10, 50)])
def test_a_bead_outside_the_image_is_refused(place):
    for paint in (
        lambda canvas: canvas.outline([[circle(*place, 4)]], "bead 7"),
        lambda canvas: canvas.ellipse(place, (4, 4), "bead 7"),
        lambda canvas: canvas.discs(np.array([place], float), 8),
    ):
        with pytest.raises(AnnotationError, match=r"a\.json: .*outside the image \(24x30 px\)"):
            paint(Canvas(HERE, SHAPE))


def test_a_bead_across_the_border_is_cut_with_a_remark():
    canvas = Canvas(HERE, SHAPE)
    canvas.outline([[circle(2, 2, 5)]], "bead")
    canvas.outline([[circle(12, 12, 5)]], "bead")
    # Drawing tools end outlines near the border.
    canvas.outline([[np.array([(18, 18), (18, 29.9), (23.9, 29.9), (23.9, 18)])]], "bead")
    labelled = canvas.finish()
    np.testing.assert_array_equal(labelled.labels == 1, mask_of(filled([circle(2, 2, 5)], SHAPE), SHAPE))
    assert labelled.remarks == (Remark("outlines that reach beyond the image, cut at its border", 1),)


def test_outlines_without_pixels_are_counted():
    canvas = Canvas(HERE, SHAPE)
    canvas.outline([[np.array([(3.0, 4.0), (5.0, 6.0)])]], "bead")
    canvas.outline([[circle(4.5, 4.5, 0.3)]], "bead")
    labelled = canvas.finish()
    assert not labelled.labels.any()
    assert [(remark.count, remark.doubtful) for remark in labelled.remarks] == [(1, True), (1, True)]


def test_equal_remarks_on_many_images_are_one_line():
    note, cut = Remark("assumed so", doubtful=False, remedy="say it"), Remark("beads that are cut", 2)
    lines = remark_lines([(f"{i}.tif", note) for i in range(7)] + [("a.tif", cut), ("b.tif", cut)])
    assert lines == [
        (False, "0.tif, 1.tif, 2.tif, 3.tif, 4.tif and 2 more: assumed so; say it"),
        (True, "a.tif, b.tif: beads that are cut: 4"),
    ]
    assert remark_lines([]) == []


def test_beads_are_numbered_in_their_order():
    _, truth = discs(3)
    canvas = Canvas(HERE, truth.shape)
    for label in (1, 2, 3):
        canvas.pixels(*np.nonzero(truth == label))
    np.testing.assert_array_equal(canvas.finish().labels, truth)
