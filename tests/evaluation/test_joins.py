"""The fit of the joiner: what is met while joining as the truth says, and that it is learnt."""

import numpy as np
import pytest
from helpers.joins import scene

from beadctl.errors import ModelError
from beadctl.evaluation import joins
from beadctl.evaluation.joins import Joins, fitted_joiner
from beadctl.model.joiner import JOIN_FEATURES
from beadctl.model.session import Maps
from beadctl.segmentation.instances import find_beads
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.prediction import PredictedPlane

OPTIONS = SegmentOptions(0.5, 0.2, 1, marker_rise=0.07)


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
    monkeypatch.setattr(joins, "LIMITS", joins.JoinLimits(fits=2, units=4, pairs=3000, decay=0.1, least=0.5))
    joiner = fitted_joiner(list(met(range(8), long=None)))
    for seed in (20, 21):
        maps, truth = scene(seed, long=None)
        found = find_beads(
            maps.probability, maps.marker, threshold=0.5, marker_threshold=0.2, min_area_px=1, join_by=joiner
        )
        assert found.count == len(np.unique(truth)) - 1


def test_the_fit_is_the_same_every_time(monkeypatch):
    monkeypatch.setattr(joins, "LIMITS", joins.JoinLimits(fits=1, units=3, pairs=500))
    images = list(met(range(3), long=None))
    assert fitted_joiner(images) == fitted_joiner(images)


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
