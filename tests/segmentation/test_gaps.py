"""Areas without values are no part of the field, and cut beads; bad pixels, rows and columns do neither."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from helpers.images import discs
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from beadctl import scratch
from beadctl.errors import ImageError
from beadctl.images import InMemory, Orientation
from beadctl.model.session import DEFAULT_MODEL, Maps, Model
from beadctl.segmentation.gaps import beside, gaps_of, outside
from beadctl.segmentation.measure import measure
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.plane import label_plane, segment_plane
from beadctl.segmentation.prediction import PredictedPlane
from beadctl.segmentation.sizes import Diameter
from beadctl.simulate import render_suspension

OPTIONS = SegmentOptions(0.5, 0.2, 1)
HOLES = arrays(np.bool_, st.tuples(st.integers(1, 14), st.integers(1, 9)))


@contextmanager
def in_bands(width, rows):
    """Read planes of a width in bands of some rows."""
    whole = scratch.bands
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scratch, "bands", lambda *shape: whole(*shape, px=rows * width))
        yield


@given(holes=HOLES, rows=st.integers(1, 5))
def test_it_is_the_opening_of_the_whole_plane_whatever_the_bands(holes, rows):
    image = np.where(holes, np.nan, 1.0)
    gaps = ndimage.binary_opening(holes, np.ones((3, 3)))
    with in_bands(holes.shape[1], rows):
        found = gaps_of(image)
        if gaps.all():
            with pytest.raises(ImageError, match="no pixel with a value"):
                outside(found, None)
            return
        field = outside(found, None)
    if gaps.any():
        np.testing.assert_array_equal(found, gaps)
        np.testing.assert_array_equal(field, ~gaps)
    else:
        assert found is None
        assert field is None


@given(gaps=HOLES, rows=st.integers(1, 5), data=st.data())
def test_beads_beside_a_gap_are_those_that_it_touches_whatever_the_bands(gaps, rows, data):
    labels = data.draw(arrays(np.uint32, gaps.shape, elements=st.integers(0, 5)))
    near = {
        int(labels[y, x])
        for y, x in np.argwhere(labels)
        if gaps[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].any()
    }
    with in_bands(gaps.shape[1], rows):
        assert beside(labels, gaps).tolist() == sorted(near)
    assert beside(labels, None).size == 0


def test_beads_that_a_gap_cuts_are_not_whole():
    """They have the flag of those that the edge of the plane cuts, and `exclude_border` leaves them out."""
    image, labels = discs(8)
    image = image.astype(np.float32)
    row = int(measure(labels).y_px[0])
    image[row : row + 4] = np.nan
    predicted = PredictedPlane(Maps(np.where(labels > 0, 255, 0).astype(np.uint8)))
    every = label_plane(predicted, image, OPTIONS)
    assert not every.labels[np.isnan(image)].any()
    discs_cut = np.unique(labels[np.isnan(image)])
    cut = np.array([labels[every.labels == number].max() in discs_cut for number in every.table.label])
    assert 0 < cut.sum() < len(cut)
    assert every.table.border.tolist() == cut.tolist()
    assert ["border" in flags.split() for flags in every.table.flags] == cut.tolist()
    whole = label_plane(predicted, image, replace(OPTIONS, exclude_border=True))
    assert len(whole.table) == len(cut) - cut.sum()
    # A bad row, over which beads are found, cuts none.
    image[row : row + 4] = 0
    image[row] = np.nan
    assert not label_plane(predicted, image, OPTIONS).table.border.any()


def plane_of_discs(middles, radii, heights):
    """Return the maps of discs, and an image in which they are bright."""
    y, x = np.indices((120, 240))
    labels, image = np.zeros(y.shape, bool), np.random.default_rng(0).normal(100, 1, y.shape)
    for (row, column), radius, height in zip(middles, radii, heights, strict=True):
        disc = np.hypot(y - row, x - column) < radius
        labels |= disc
        image[disc] += height
    return labels, image.astype(np.float32)


@pytest.mark.parametrize("transposed", [False, True])
def test_a_bead_that_a_gap_cuts_is_no_speck_however_little_is_seen(transposed):
    """As at the edge of the plane, where a diameter is stated, and whatever way the plane was turned."""
    beads, image = plane_of_discs([(30, 40), (90, 40), (60, 100), (30, 200)], [15, 15, 15, 3], [100] * 4)
    image[:, 88:140] = np.nan
    beads &= ~np.isnan(image)
    turned = Orientation(columns=True, transposed=transposed)
    seen = np.ascontiguousarray(turned.turned(np.where(beads, 255, 0).astype(np.uint8)))
    stated = replace(OPTIONS, diameter=Diameter(30, "px"))
    table = label_plane(PredictedPlane(Maps(seen), turned), image, stated).table
    assert sorted(zip(table.x_px.round().tolist(), table.border.tolist(), strict=True)) == [
        (40, False),
        (40, False),
        (87, True),
    ]


@pytest.mark.parametrize("missing", [np.nan, np.inf])
def test_beads_at_a_gap_are_found_as_at_the_edge_of_a_plane(missing):
    """The network missed many of those that an area of NaN cuts; in it there are none."""
    model, gap, missed = Model(DEFAULT_MODEL, "cpu", 1), slice(140, 180), 0
    options = SegmentOptions.of(model.facts)
    for look, seed in (("disc", 1), ("absorber", 2)):
        image = render_suspension(np.random.default_rng(seed), look, 150, 12.0, 320).image.astype(np.float32)
        halves = image[:, : gap.start].copy(), image[:, gap.stop :].copy()
        image[:, gap] = missing
        found = segment_plane(InMemory(image), model, options)
        assert not found.labels[:, gap].any()
        assert found.probability is not None
        assert not found.probability[:, gap].any()
        for half, part in zip(
            halves, (found.labels[:, : gap.start], found.labels[:, gap.stop :]), strict=True
        ):
            labels = segment_plane(InMemory(half), model, options).labels
            beads = range(1, int(labels.max()) + 1)
            missed += sum(float((part[labels == number] > 0).mean()) < 0.5 for number in beads)
    # Of 276.
    assert missed <= 5


def test_artefacts_are_judged_by_beads_that_no_gap_cuts():
    """Among fewer than six whole beads none is one."""
    middles = [(20, 20 + 30 * n) for n in range(7)] + [(100, 50), (100, 150)]
    beads, image = plane_of_discs(middles, [8] * 7 + [2, 2], [100] * 7 + [12, 12])
    predicted = PredictedPlane(Maps(np.where(beads, 255, 0).astype(np.uint8)))
    assert len(label_plane(predicted, image, OPTIONS).table) == 7
    gap = image.copy()
    gap[:18, 35:] = np.nan
    assert len(label_plane(predicted, gap, OPTIONS).table) == 9


def test_a_region_loses_its_part_of_a_gap_and_stays_as_it_is():
    image = np.zeros((9, 9), np.float32)
    image[:4] = np.nan
    region = np.zeros((9, 9), bool)
    region[2:, 2:] = True
    found = outside(gaps_of(image), region)
    assert (int(found.sum()), int(region.sum())) == (5 * 7, 7 * 7)
    region[4:] = False
    with pytest.raises(ImageError, match="no pixel with a value"):
        outside(gaps_of(image), region)


def test_images_of_whole_numbers_and_without_gaps_keep_the_region():
    region = np.zeros((9, 9), bool)
    for image in (np.zeros((9, 9), np.uint16), np.zeros((9, 9))):
        assert outside(gaps_of(image), region) is region
        assert outside(gaps_of(image), None) is None
