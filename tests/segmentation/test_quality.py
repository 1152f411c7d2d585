"""Doubt about a plane is by how much its count depends on the thresholds, and flags it above a limit."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beadctl.model.session import Maps
from beadctl.segmentation.filters import Filters
from beadctl.segmentation.instances import Found, find_beads
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.plane import label_plane
from beadctl.segmentation.prediction import PredictedPlane
from beadctl.segmentation.quality import DOUBTFUL, LIMITS, doubt, instability, threshold_range

SIDE = 240
OPTIONS = SegmentOptions(0.5, 0.2, 1, min_confidence=0.5)
NOTHING = np.zeros((1, 1), np.uint32)


def maps(confidences, radius_px=6, pitch_px=24):
    """Discs in rows, of these probabilities; the marker is 1 in the middle of each and falls to its edge."""
    probability, marker = np.zeros((SIDE, SIDE)), np.zeros((SIDE, SIDE))
    rows, columns = np.indices((SIDE, SIDE))
    per_row = SIDE // pitch_px - 1
    for number, confidence in enumerate(confidences):
        y, x = (pitch_px * (1 + place) for place in divmod(number, per_row))
        distance = np.hypot(rows - y, columns - x)
        inside = distance <= radius_px
        probability[inside] = confidence
        marker[inside] = (1 - distance / (radius_px + 1))[inside]
    return Maps(*(np.rint(255 * plane).astype(np.uint8) for plane in (probability, marker)))


def judged(confidences, **shape):
    found = label_plane(PredictedPlane(maps(confidences, **shape)), np.zeros((SIDE, SIDE)), OPTIONS)
    return len(found.table), found.doubt, found.quality


def flat(confidences):
    """Squares of these confidences, whose markers are as high as their probabilities."""
    plane = np.zeros((20, 20 * len(confidences) + 20), np.uint8)
    for number, confidence in enumerate(confidences):
        plane[6:14, 20 * number + 6 : 20 * number + 14] = round(255 * confidence ** (2 / 3))
    return plane


@given(st.lists(st.floats(0.02, 1.0), min_size=1, max_size=12))
def test_the_range_is_that_of_the_counts_at_other_confidences(confidences):
    plane = flat(confidences)
    at = {"threshold": 0.1, "marker_threshold": 0.1, "min_area_px": 1, "use_size_prior": False}
    found = find_beads(plane, plane, min_confidence=0.5, **at)
    lenient, strict = (find_beads(plane, plane, min_confidence=c, **at).labels.max() for c in (0.5, 0.8))
    assert (found.fewest, found.most) == (strict, lenient)


def test_the_range_is_that_of_the_counts_at_other_rises():
    # Two peaks of 0.9 with a pass of 0.8 between: a rise of 0.1.
    row = np.interp(np.arange(40), [0, 10, 20, 30, 39], [0.5, 0.9, 0.8, 0.9, 0.5])
    marker = np.rint(255 * np.tile(row, (12, 1))).astype(np.uint8)
    probability = np.full_like(marker, 255)

    def found(rise):
        return find_beads(
            probability, marker, threshold=0.5, marker_threshold=0.1, min_area_px=1, join_by=rise
        )

    counts = {rise: int(found(rise).labels.max()) for rise in (0.01, 0.02, 0.04, 0.08, 0.16, 0.32)}
    assert set(counts.values()) == {1, 2}
    for rise in (0.02, 0.04, 0.08, 0.16):
        around = [counts[rise / 2], counts[rise], counts[2 * rise]]
        assert (found(rise).fewest, found(rise).most) == (min(around), max(around))


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_instability_is_the_range_relative_to_the_count_and_doubt_without_a_reviewer_its_odds(
    fewest, more, count, unsure
):
    share = instability([Found(NOTHING, fewest, fewest + more)], count, unsure)
    assert share == pytest.approx((more + unsure) / max(count, LIMITS.fewest))
    doubted = doubt(np.zeros(0), None, share)
    assert doubted / (1 - doubted) == pytest.approx(share)


def test_sure_beads_and_an_empty_plane_raise_no_doubt():
    assert judged([]) == (0, 0.0, ())
    assert judged([1.0] * 20) == (20, 0.0, ())


def test_nothing_counted_where_larger_objects_were_seen_is_doubtful():
    plane = np.zeros((SIDE, SIDE), np.uint8)
    found = label_plane(PredictedPlane(Maps(plane, plane), has_larger=True), plane, OPTIONS)
    assert (len(found.table), found.quality[:2]) == (0, ("doubtful", "large-objects"))


def test_half_sure_beads_are_doubtful():
    count, share, flags = judged([0.52] * 20)
    assert (count, share) == (20, 0.5)
    assert flags[0] == DOUBTFUL


def test_objects_that_were_left_out_are_doubtful_too():
    # Below the foreground's threshold they are no objects.
    probability = np.full(30, 0.52)
    options = SegmentOptions(0.5, 0.2, 1, min_confidence=0.6)
    found = label_plane(PredictedPlane(maps(probability)), np.zeros((SIDE, SIDE)), options)
    assert (len(found.table), found.doubt, found.quality[0]) == (0, 10 / 11, DOUBTFUL)


def test_causes_are_said_of_doubtful_planes_alone():
    assert "dense" in judged([0.52] * 40, pitch_px=12)[2]
    assert "small-beads" in judged([0.52] * 40, radius_px=2)[2]
    assert judged([1.0] * 40, pitch_px=12)[2] == ()


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.data())
def test_the_range_of_a_part_is_that_of_the_whole_in_proportion(fewer, more, count, data):
    counted = data.draw(st.integers(0, count))
    found = Found(NOTHING, fewest=max(0, count - fewer), most=count + more, count=count)
    low, high = threshold_range(found, count, counted)
    assert 0 <= low <= counted <= high
    assert threshold_range(found, count, count) == (found.fewest, found.most)
    if count:
        assert high - counted == pytest.approx(more * counted / count, abs=1)
        assert counted - low == pytest.approx(min(fewer, count) * counted / count, abs=1)


def test_the_range_of_a_plane_holds_the_counts_at_other_thresholds():
    planes, image = PredictedPlane(maps([0.99, 0.99, 0.9, 0.7, 0.7, 0.55])), np.zeros((SIDE, SIDE))
    options = SegmentOptions(0.3, 0.2, 1, min_confidence=0.65)
    found = label_plane(planes, image, options)
    assert (len(found.table), found.thresholds) == (5, (3, 6))
    others = [dataclasses.replace(options, min_confidence=limit) for limit in (0.8, 0.5)]
    assert found.thresholds == tuple(len(label_plane(planes, image, one).table) for one in others)
    none = dataclasses.replace(options, filters=Filters.of({"max_area": "1"}))
    assert label_plane(planes, image, none).thresholds == (0, 0)
