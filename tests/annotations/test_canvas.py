"""Outlines to pixels, and who has a pixel where beads overlap."""

from pathlib import Path

import numpy as np
import pytest
from helpers.images import discs
from hypothesis import given
from hypothesis import strategies as st
from skimage.draw import polygon

from beadctl.annotations.canvas import Canvas, Remark, said
from beadctl.annotations.outline import ellipse, filled, gathered, united
from beadctl.errors import AnnotationError

SHAPE = (24, 30)
HERE = Path("a.json")
WHOLE = st.integers(-6, 36).map(float)
PLACE = st.one_of(WHOLE, WHOLE.map(lambda value: value + 0.5), st.floats(-6, 36).map(lambda v: round(v, 3)))
# Added to tenths of a pixel, so that no line meets the middle of a pixel.
OFF_MIDDLES = np.array([0.0313, 0.0171])
RING = st.lists(st.tuples(PLACE, PLACE), min_size=3, max_size=9)


def whole(patch, shape=SHAPE):
    mask = np.zeros(shape, bool)
    if patch is not None:
        assert patch.mask.any()
        mask[patch.slices] = patch.mask
    return mask


def disc(y, x, radius):
    turn = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    return np.column_stack([y + radius * np.sin(turn), x + radius * np.cos(turn)])


@given(RING)
def test_an_outline_holds_the_pixels_that_scikit_image_finds(points):
    """Lines may cross themselves, but here none meets the middle of a pixel, where scikit-image wavers."""
    ring = np.round(np.array(points), 1) + OFF_MIDDLES
    truth = np.zeros(SHAPE, bool)
    truth[polygon(ring[:, 0], ring[:, 1], SHAPE)] = True
    np.testing.assert_array_equal(whole(filled([ring], SHAPE)), truth)


@given(RING)
def test_a_pixel_counts_when_its_middle_is_inside_or_on_the_line(points):
    """Each pixel against each edge, in whole thousandths: exact."""
    start = np.rint(np.array(points) * 1000).astype(np.int64)[:, None, None, :]
    end = np.roll(start, -1, axis=0)
    middle = np.stack(np.indices(SHAPE), -1)[None] * 1000
    along, off = end - start, middle - start
    side = along[..., 0] * off[..., 1] - along[..., 1] * off[..., 0]
    low, high = np.minimum(start, end), np.maximum(start, end)
    on = ((side == 0) & (low <= middle).all(-1) & (middle <= high).all(-1)).any(0)
    crosses = (start[..., 0] <= middle[..., 0]) != (end[..., 0] <= middle[..., 0])
    inside = (crosses & ((side > 0) == (along[..., 0] > 0))).sum(0) % 2 == 1
    np.testing.assert_array_equal(whole(filled([np.array(points)], SHAPE)), inside | on)


@given(RING, st.integers(-40, 40), st.integers(-40, 40), st.integers(0, 8), st.booleans())
def test_an_outline_is_the_same_wherever_it_begins_and_lies(points, down, right, turn, backwards):
    ring = np.array(points)
    shape = (200, 200)
    here = whole(filled([ring + 80], shape), shape)
    other = np.roll(ring[::-1] if backwards else ring, turn, axis=0) + np.array([80 + down, 80 + right])
    there = whole(filled([other], shape), shape)
    np.testing.assert_array_equal(np.roll(here, (down, right), (0, 1)), there)


@given(RING, RING)
def test_a_second_ring_makes_holes(first, second):
    """Inside one of them, not both."""
    rings = [np.round(np.array(points), 1) + OFF_MIDDLES for points in (first, second)]
    alone = [whole(filled([ring], SHAPE)) for ring in rings]
    np.testing.assert_array_equal(whole(filled(rings, SHAPE)), alone[0] ^ alone[1])


@pytest.mark.parametrize("length", [49, 98, 103, 107])
def test_a_middle_on_a_slanted_line_is_not_lost_to_rounding(length):
    """1 / 49 * 49 is less than 1."""
    triangle = np.array([(0, 0), (length, length), (length, 0)], float)
    found = whole(filled([triangle], (120, 120)), (120, 120))
    assert found[np.arange(length + 1), np.arange(length + 1)].all()
    assert found.sum() == (length + 1) * (length + 2) / 2


def test_the_line_around_a_hole_belongs_to_the_bead():
    square = np.array([(2, 2), (2, 12), (12, 12), (12, 2)], float)
    hole = np.array([(5, 5), (5, 9), (9, 9), (9, 5)], float)
    truth = np.zeros(SHAPE, bool)
    truth[2:13, 2:13] = True
    truth[6:9, 6:9] = False
    np.testing.assert_array_equal(whole(filled([square, hole], SHAPE)), truth)


@pytest.mark.parametrize(
    "points", [[(3, 4), (3, 4), (3, 4)], [(3, 4), (3, 8), (3, 6)], [(2, 5), (6, 5), (4, 5)]]
)
def test_outlines_without_an_area_are_lines_of_pixels(points):
    ring = np.array(points, float)
    y, x = ring.min(0).astype(int), ring.max(0).astype(int)
    truth = np.zeros(SHAPE, bool)
    truth[y[0] : x[0] + 1, y[1] : x[1] + 1] = True
    np.testing.assert_array_equal(whole(filled([ring], SHAPE)), truth)


def test_an_outline_that_holds_the_middle_of_no_pixel_is_nothing():
    assert filled([disc(4.5, 4.5, 0.3)], SHAPE) is None
    assert filled([disc(-9, -9, 3)], SHAPE) is None
    assert ellipse((4.5, 4.5), (0.3, 0.3), SHAPE) is None
    assert gathered(np.zeros(0, int), np.zeros(0, int)) is None
    assert united([]) is None


def test_a_thousand_vertices_cost_no_more_than_the_pixels():
    """Whole-slide regions have outlines of many vertices: no pixel is compared with each of them."""
    shape = (3000, 3000)
    ring = disc(1500, 1500, 1400)
    many = np.concatenate(
        [np.linspace(a, b, 400, endpoint=False) for a, b in zip(ring, np.roll(ring, -1, 0), strict=True)]
    )
    assert len(many) == 36_000
    np.testing.assert_array_equal(filled([many], shape).mask, filled([ring], shape).mask)


# --- who has a pixel


def test_of_two_that_overlap_the_later_one_stays_visible():
    canvas = Canvas(HERE, SHAPE)
    for x, radius in ((8, 6), (14, 5), (20, 6)):
        canvas.outline([[disc(12, x, radius)]], "bead")
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
        canvas.outline([[disc(12, 14, radii[index])]], "bead")
    labels = canvas.finish().labels
    small = labels == order.index(1) + 1
    np.testing.assert_array_equal(small, whole(filled([disc(12, 14, 3)], SHAPE)))
    assert (labels > 0).sum() == whole(filled([disc(12, 14, 9)], SHAPE)).sum()
    assert canvas.finish().remarks == ()


def test_a_bead_marked_twice_is_one_and_told():
    canvas = Canvas(HERE, SHAPE)
    for _ in range(3):
        canvas.outline([[disc(12, 14, 5)]], "bead")
    labelled = canvas.finish()
    assert np.unique(labelled.labels).tolist() == [0, 3]
    assert labelled.remarks == (Remark("beads are hidden by others and are lost", 2),)


@given(st.lists(st.tuples(st.floats(2, 20), st.floats(2, 26), st.sampled_from([1.4, 3.2, 6.1])), max_size=12))
def test_no_bead_is_lost_but_to_its_equal(beads):
    canvas = Canvas(HERE, SHAPE)
    painted = 0
    for y, x, radius in beads:
        canvas.ellipse((y, x), (radius, radius), "bead")
        painted += 1
    labelled = canvas.finish()
    lost = sum(remark.count for remark in labelled.remarks if remark.words.startswith("beads are hidden"))
    assert np.count_nonzero(np.unique(labelled.labels)) + lost == painted
    if len({radius for *_, radius in beads}) == len(beads):
        assert lost == 0
    union = np.zeros(SHAPE, bool)
    for y, x, radius in beads:
        union |= whole(ellipse((y, x), (radius, radius), SHAPE))
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
    # Only a disc without the middle of a pixel has another one: that of its centre.
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
    # The border runs half-way between the centres, whatever the row.
    rows, columns = np.nonzero(labels)
    np.testing.assert_array_equal(labels[rows, columns], np.where(columns <= 11, 1, 2))


def test_equal_centres_are_one_bead_and_told():
    canvas = Canvas(HERE, SHAPE)
    canvas.discs(np.array([(12.0, 8.0), (12.0, 8.0), (4.0, 20.0)]), 6)
    labelled = canvas.finish()
    assert np.unique(labelled.labels).tolist() == [0, 1, 2]
    assert labelled.remarks == (Remark("centres lie on others and are left out", 1),)


# --- what does not fit


@pytest.mark.parametrize("place", [(-9, 10), (40, 10), (10, -9), (10, 50)])
def test_a_bead_outside_the_image_is_refused(place):
    for paint in (
        lambda canvas: canvas.outline([[disc(*place, 4)]], "bead 7"),
        lambda canvas: canvas.ellipse(place, (4, 4), "bead 7"),
        lambda canvas: canvas.discs(np.array([place], float), 8),
    ):
        with pytest.raises(AnnotationError, match=r"a\.json: .*outside the image \(24x30 px\)"):
            paint(Canvas(HERE, SHAPE))


def test_a_bead_across_the_border_is_cut_and_told():
    canvas = Canvas(HERE, SHAPE)
    canvas.outline([[disc(2, 2, 5)]], "bead")
    canvas.outline([[disc(12, 12, 5)]], "bead")
    # A drawing tool ends at the border, give or take.
    canvas.outline([[np.array([(18, 18), (18, 29.9), (23.9, 29.9), (23.9, 18)])]], "bead")
    labelled = canvas.finish()
    np.testing.assert_array_equal(labelled.labels == 1, whole(filled([disc(2, 2, 5)], SHAPE)))
    assert labelled.remarks == (Remark("beads reach beyond the image and are cut at its border", 1),)


def test_what_cannot_be_a_bead_is_counted():
    canvas = Canvas(HERE, SHAPE)
    canvas.outline([[np.array([(3.0, 4.0), (5.0, 6.0)])]], "bead")
    canvas.outline([[disc(4.5, 4.5, 0.3)]], "bead")
    labelled = canvas.finish()
    assert not labelled.labels.any()
    assert [(remark.count, remark.doubtful) for remark in labelled.remarks] == [(1, True), (1, True)]


def test_remarks_on_many_images_are_few_lines():
    note, cut = Remark("assumed so", doubtful=False), Remark("beads are cut", 2)
    lines = said([(f"{i}.tif", note) for i in range(7)] + [("a.tif", cut), ("b.tif", cut)])
    assert lines == [
        (False, "assumed so: 0.tif, 1.tif, 2.tif, 3.tif, 4.tif and 2 more"),
        (True, "4 beads are cut: a.tif, b.tif"),
    ]
    assert said([]) == []


def test_beads_are_numbered_in_their_order():
    _, truth = discs(3)
    canvas = Canvas(HERE, truth.shape)
    for label in (1, 2, 3):
        canvas.pixels(*np.nonzero(truth == label))
    np.testing.assert_array_equal(canvas.finish().labels, truth)
