"""What a reviewer is shown of a plane: its figures, and that they hold however the plane lies."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beadctl import scratch
from beadctl.model.perceptron import Perceptron
from beadctl.model.reviewer import REVIEW_FEATURES, Reviewer
from beadctl.model.session import Maps
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.plane import label_plane
from beadctl.segmentation.prediction import PredictedPlane
from beadctl.segmentation.quality import DOUBTFUL

OPTIONS = SegmentOptions(0.5, 0.2, 4, min_confidence=0.3)
SIZE = len(REVIEW_FEATURES)


def discs(seed, side=72):
    """Maps of discs of some radii and confidences, some of them below the threshold."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    probability, marker = np.zeros((2, side, side))
    for _ in range(rng.integers(0, 9)):
        centre, radius, sure = rng.uniform(8, side - 8, 2), rng.uniform(3, 8), rng.uniform(0.3, 1)
        away = np.hypot(y - centre[0], x - centre[1])
        probability = np.maximum(probability, sure * (away < radius))
        marker = np.maximum(marker, sure * np.clip(1 - away / radius, 0, 1))
    return Maps(*(np.rint(255 * plane).astype(np.uint8) for plane in (probability, marker)))


def shown(maps, shrink=1.0):
    plane = np.zeros(maps.probability.shape, np.uint8)
    predicted = PredictedPlane(maps, shrink=shrink)
    return dict(zip(REVIEW_FEATURES, label_plane(predicted, plane, OPTIONS).features, strict=True))


@given(st.integers(0, 10_000), st.sampled_from([np.fliplr, np.flipud, np.transpose, np.rot90]))
def test_a_turned_plane_is_seen_alike(seed, turned):
    maps = discs(seed)
    other = Maps(*(np.ascontiguousarray(turned(plane)) for plane in (maps.probability, maps.marker)))
    assert shown(other) == pytest.approx(shown(maps), abs=1e-9)


@given(st.integers(0, 10_000), st.integers(72, 3000))
def test_all_of_the_plane_is_seen_in_bands_of_any_size(seed, pixels):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scratch, "BAND_PX", pixels)
        banded = shown(discs(seed))
    assert banded == pytest.approx(shown(discs(seed)))
    assert np.isfinite(list(banded.values())).all()


def test_the_figures_of_a_plane_known_by_hand():
    probability = np.zeros((20, 50), np.uint8)
    # A bead of 64 px at 1, an object of 16 px at 0.6 that is too faint, and 36 px below the threshold.
    probability[4:12, 4:12], probability[4:8, 20:24], probability[10:16, 30:36] = 255, 153, 102
    marker = np.zeros_like(probability)
    marker[8, 8], marker[6, 22] = 255, 51
    seen = shown(Maps(probability, marker))
    light = 64 + 16 * 0.6 + 36 * 0.4
    assert seen["log-count"] == pytest.approx(np.log(2))
    assert seen["log-basins"] == pytest.approx(np.log(3 / 2))
    assert seen["covered"] == 64 / 1000
    assert seen["probability"] == pytest.approx(light / 1000)
    assert seen["probability-outside"] == pytest.approx(1 - 64 / light)
    assert seen["probability-undecided"] == pytest.approx((16 + 36) * 0.24 / light)
    assert seen["foreground-outside"] == 16 / 80
    assert seen["marker-outside"] == pytest.approx(0.2 / 1.2)
    assert seen["confidence"] == seen["confidence-lowest"] == 1.0
    assert seen["log-diameter"] == pytest.approx(np.log(np.sqrt(4 / np.pi * 64)))


def test_sizes_are_those_that_the_network_saw():
    maps = discs(1)
    assert shown(maps, 2.0)["log-diameter"] == pytest.approx(shown(maps)["log-diameter"] - np.log(2))


def test_a_reviewer_decides_the_flag_in_place_of_the_thresholds():
    maps = discs(1)
    plane = np.zeros(maps.probability.shape, np.uint8)

    def judged(offset):
        reviewer = Reviewer(Perceptron((0.0,) * SIZE, (1.0,) * SIZE, ((0.0,) * (SIZE + 1),), (0.0, offset)))
        return label_plane(PredictedPlane(maps), plane, replace(OPTIONS, reviewer=reviewer))

    sure, unsure = judged(-3.0), judged(3.0)
    assert (len(sure.table), sure.doubt) == (len(unsure.table), pytest.approx(1 - unsure.doubt))
    assert sure.quality == ()
    assert unsure.quality[0] == DOUBTFUL
