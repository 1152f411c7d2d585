"""The fit of the joiner: what is met while joining as the truth says, and that it is learnt."""

import numpy as np
import pytest

from beadctl.errors import ModelError
from beadctl.evaluation import joins
from beadctl.evaluation.joins import Joins, fitted_joiner
from beadctl.model.joiner import JOIN_FEATURES
from beadctl.model.session import Maps
from beadctl.segmentation.instances import find_beads
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.prediction import PredictedPlane

OPTIONS = SegmentOptions(0.5, 0.2, 1, marker_rise=0.07)


def scene(seed, *, long):
    """Maps and truth of pairs of peaks: one long bead each where `long`, with a shallow dip, else two."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:96, :128]
    marker, truth = np.zeros((2, 96, 128))
    for k, (row, column) in enumerate((r, c) for r in range(16, 96, 32) for c in range(24, 128, 40)):
        is_long = (k + seed) % 2 == 0 if long is None else long
        apart = rng.uniform(5.5, 7)
        left, right = (np.hypot(y - row, x - column - side * apart) for side in (-1, 1))
        peaks = np.maximum(1 - left / 8, 1 - right / 8)
        if is_long:
            peaks = np.maximum(
                peaks, 0.75 * (np.hypot((y - row), np.maximum(np.abs(x - column) - apart, 0)) < 4)
            )
        inside = (np.minimum(left, right) < 8) & (peaks > 0)
        marker = np.where(inside, np.maximum(peaks, 0.01), marker)
        truth[inside & (left <= right)] = 2 * k + 1
        truth[inside & (left > right)] = 2 * k + 1 if is_long else 2 * k + 2
    byte = np.rint(255 * marker).astype(np.uint8)
    return Maps(np.where(truth > 0, 240, 0).astype(np.uint8), byte), truth.astype(np.uint32)


def met(seeds, **kind):
    for seed in seeds:
        maps, truth = scene(seed, **kind)
        yield Joins.of(PredictedPlane(maps), truth, OPTIONS, seed)


def test_neighbours_of_one_bead_are_told_from_touching_beads():
    whole, apart = (next(iter(met([1], long=long))) for long in (True, False))
    assert whole.is_one.all()
    assert not apart.is_one.any()
    assert len(whole.features) >= 9
    assert whole.features.shape[1] == len(JOIN_FEATURES)


def test_the_joiner_counts_what_is_true(monkeypatch):
    monkeypatch.setattr(joins, "LIMITS", joins.JoinLimits(fits=2, units=4, pairs=3000, decay=0.1))
    joiner = fitted_joiner(list(met(range(8), long=None)), 0.5)
    for seed in (20, 21):
        maps, truth = scene(seed, long=None)
        found = find_beads(
            maps.probability, maps.marker, threshold=0.5, marker_threshold=0.2, min_area_px=1, join_by=joiner
        )
        assert found.count == len(np.unique(truth)) - 1


def test_the_fit_is_the_same_every_time(monkeypatch):
    monkeypatch.setattr(joins, "LIMITS", joins.JoinLimits(fits=1, units=3, pairs=500))
    images = list(met(range(3), long=None))
    assert fitted_joiner(images, 0.4) == fitted_joiner(images, 0.4)


def test_a_plane_without_neighbours_has_nothing_to_teach():
    y, x = np.mgrid[:40, :40]
    disc = np.where(np.hypot(y - 20, x - 20) < 8, 250, 0).astype(np.uint8)
    one = Joins.of(PredictedPlane(Maps(disc, disc)), (disc > 0).astype(np.uint32), OPTIONS)
    assert len(one.features) == len(one.is_one) == len(one.weight) == 0


def test_pairs_beside_no_bead_weigh_less_and_those_without_one_nothing():
    maps, truth = scene(1, long=False)
    one = Joins.of(PredictedPlane(maps), np.where(truth == 2, 0, truth), OPTIONS)
    assert sorted(set(one.weight)) == [joins.LIMITS.beside, 1.0]
    none = Joins.of(PredictedPlane(maps), np.zeros_like(truth), OPTIONS)
    assert not none.weight.any()


def test_a_model_without_a_marker_map_has_no_joiner():
    plane = np.full((8, 8), 200, np.uint8)
    with pytest.raises(ModelError, match="marker map"):
        Joins.of(PredictedPlane(Maps(plane, None)), plane, OPTIONS)
