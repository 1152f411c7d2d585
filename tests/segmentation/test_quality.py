"""Doubt about a plane is the expected share of wrong beads, and flags it above a limit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beadctl.model.session import Maps
from beadctl.segmentation.instances import Found, chances
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.plane import PredictedPlane, label_plane
from beadctl.segmentation.quality import LIMITS, Quality, doubt

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


@given(
    st.lists(st.floats(0.51, 1), max_size=12),
    st.lists(st.floats(0, 0.49), max_size=12),
)
def test_doubt_is_the_expected_share_of_wrong_beads(kept, left_out):
    found = Found(NOTHING, false=sum(1 - c for c in kept), missed=sum(left_out))
    share = doubt([found], len(kept))
    assert 0 <= share <= 1
    wrong = sum(1 - c for c in kept) + sum(left_out)
    if len(kept) >= LIMITS.fewest:
        assert share == pytest.approx(wrong / (len(kept) + sum(left_out)))


def test_sure_beads_and_an_empty_plane_raise_no_doubt():
    assert judged([]) == (0, 0.0, ())
    count, share, flags = judged([1.0] * 20)
    assert (count, flags) == (20, ())
    assert share < 0.05


def test_half_sure_beads_are_doubtful():
    count, share, flags = judged([0.52] * 20)
    assert count == 20
    assert share == pytest.approx(1 - chances(np.array([0.52]))[0], abs=0.02)
    assert flags == (Quality.DOUBTFUL,)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=9))
def test_the_chance_of_a_bead_grows_with_its_confidence(confidences):
    found = chances(np.sort(confidences))
    assert ((found >= 0) & (found <= 1)).all()
    assert (np.diff(found) >= 0).all()


def test_objects_that_were_left_out_are_doubtful_too():
    # Below the foreground's threshold they are no objects.
    probability = np.full(30, 0.52)
    plane = maps(probability)
    options = SegmentOptions(0.5, 0.2, 1, min_confidence=0.6)
    found = label_plane(PredictedPlane(plane), np.zeros((SIDE, SIDE)), options)
    assert (len(found.table), found.doubt, found.quality) == (0, 1.0, (Quality.DOUBTFUL,))


def test_doubtful_beads_that_touch_or_are_small_are_said():
    assert judged([0.52] * 40, pitch_px=12)[2] == (Quality.DOUBTFUL, Quality.DENSE)
    assert judged([0.52] * 40, radius_px=2)[2] == (Quality.DOUBTFUL, Quality.SMALL_BEADS)
    assert judged([1.0] * 40, pitch_px=12)[2] == ()
