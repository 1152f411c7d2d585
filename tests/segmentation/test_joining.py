"""Basins are joined by what a joiner says of neighbours: at once, in no order, and as it is told."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from beadctl.model.joiner import JOIN_FEATURES, Joiner
from beadctl.model.perceptron import Perceptron
from beadctl.model.session import Maps
from beadctl.segmentation import joining
from beadctl.segmentation.basins import basins_of
from beadctl.segmentation.instances import find_beads
from beadctl.segmentation.joining import joined
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.plane import label_plane
from beadctl.segmentation.prediction import PredictedPlane
from beadctl.segmentation.size_prior import SizePrior

SIZE = len(JOIN_FEATURES)


def by(name, beyond, *, slope=10.0, least=0.5):
    """A joiner that joins where a feature is above a value; with a negative slope, where it is below."""
    weights = [0.0] * (SIZE + 1)
    weights[JOIN_FEATURES.index(name)] = 1e-4
    middle = tuple(beyond if one == name else 0.0 for one in JOIN_FEATURES)
    return Joiner(least, Perceptron(middle, (1.0,) * SIZE, (tuple(weights),), (slope * 1e4, 0.0)))


def row_of_peaks(heights, passes):
    """Maps of a band with peaks and the passes between them, each 6 px from the last."""
    profile = np.interp(
        np.arange(6 * (len(heights) + len(passes)) - 5),
        6 * np.arange(len(heights) + len(passes)),
        [value for pair in zip(heights, [*passes, 0], strict=True) for value in pair][:-1],
    )
    plane = np.zeros((13, len(profile) + 4), np.uint8)
    plane[3:10, 2:-2] = np.minimum(profile, np.array([20, 90, 200, 255, 200, 90, 20])[:, None])
    return np.where(plane > 0, 240, 0).astype(np.uint8), plane


def count(maps, joiner, **options):
    settings = {"threshold": 0.5, "marker_threshold": 0.2, "min_area_px": 1} | options
    return find_beads(*maps, join_by=joiner, **settings).count


def test_peaks_are_joined_where_the_joiner_says_so():
    maps = row_of_peaks([250, 250, 250], [230, 60])
    assert count(maps, by("pass-share", 0.5)) == 2
    assert count(maps, by("pass-share", 0.1)) == 1
    assert count(maps, by("pass-share", 0.99)) == 3


def test_a_region_is_judged_again_once_it_has_grown():
    maps = row_of_peaks([250, 250, 250], [200, 200])
    # Each neighbour is small enough alone, and their union is not.
    small = by("log-diameter-union", np.log(14.5), slope=-10.0)
    assert count(maps, small) in (2, 3)
    assert count(maps, by("log-diameter-union", np.log(30), slope=-10.0)) == 1


def test_the_likeliest_neighbours_are_joined_first():
    maps = row_of_peaks([250, 250, 250], [120, 200])
    _, basins = basins_of(*maps, 128, 50)
    pairs, passes = basins.borders.pairs, basins.borders.passes
    # Joined where the union is no larger than two peaks: the pair with the higher pass wins.
    weights = [0.0] * (SIZE + 1)
    weights[JOIN_FEATURES.index("pass")] = 1e-4
    weights[JOIN_FEATURES.index("log-diameter-union")] = -1e-2
    middle = tuple(np.log(13.5) if one == "log-diameter-union" else 0.0 for one in JOIN_FEATURES)
    found = joined(basins, Joiner(0.5, Perceptron(middle, (1.0,) * SIZE, (tuple(weights),), (1e3, 0.0))))
    instance = found.instance
    for pair, height in zip(pairs, passes, strict=True):
        assert (instance[pair[0]] == instance[pair[1]]) == (height == 200)


def test_equal_neighbours_are_joined_together():
    maps = row_of_peaks([250] * 5, [200] * 4)
    assert count(maps, by("pass-share", 0.5)) == 1


def test_more_are_parted_at_higher_odds_and_fewer_at_lower():
    maps = row_of_peaks([250, 250, 250], [131, 119])
    _, basins = basins_of(*maps, 128, 50)
    found = joined(basins, by("pass-share", 0.5, slope=20.0))
    counts = [len(np.unique(one[1:])) for one in (found.most, found.instance, found.fewest)]
    assert counts == [3, 2, 1]


def test_a_stated_diameter_is_the_size_of_the_population():
    maps = row_of_peaks([250, 250], [200])
    _, basins = basins_of(*maps, 128, 50)
    narrow = by("size-union", 0.0, slope=-10.0)
    assert len(np.unique(joined(basins, narrow, SizePrior.stated(5.0)).instance[1:])) == 2
    assert len(np.unique(joined(basins, narrow, SizePrior.stated(50.0)).instance[1:])) == 1


def test_no_population_is_asked_for_where_sizes_are_left_aside():
    maps = row_of_peaks([250, 250], [200])
    _, basins = basins_of(*maps, 128, 50)
    known = by("population", 0.5)
    assert len(np.unique(joined(basins, known).instance[1:])) == 1
    assert len(np.unique(joined(basins, known, by_population=False).instance[1:])) == 2


@given(st.integers(0, 2**32 - 1))
def test_a_plane_turned_over_is_joined_alike(seed):
    rng = np.random.default_rng(seed)
    maps = [ndimage.gaussian_filter(rng.normal(size=(40, 50)), 2) for _ in range(2)]
    probability, marker = (np.clip(128 + 60 * m / m.std(), 0, 255).astype(np.uint8) for m in maps)
    weights = tuple(map(tuple, rng.normal(0, 0.3, (4, SIZE + 1))))
    joiner = Joiner(0.5, Perceptron((0.5,) * SIZE, (1.0,) * SIZE, weights, tuple(rng.normal(size=5))))
    _, one = basins_of(probability, marker, 128, 50)
    _, other = basins_of(probability[::-1], marker[::-1], 128, 50)
    assert len(one.height) == len(other.height)
    # The flooding breaks ties in raster order, so planes whose basins differ say nothing of the joining.
    if sorted(one.area_px) == sorted(other.area_px) and len(set(one.area_px)) == len(one.area_px):
        counts = [len(np.unique(joined(basins, joiner).instance)) for basins in (one, other)]
        assert counts[0] == counts[1]


def test_a_stated_rise_takes_the_place_of_the_joiner():
    from beadctl.model.session import DEFAULT_MODEL, Model

    facts = Model(DEFAULT_MODEL, "cpu").facts
    assert SegmentOptions.of(facts).joiner == facts.joiner is not None
    assert SegmentOptions.of(facts, {"marker_rise": 0.1}).joiner is None


def test_the_joiner_of_the_options_is_used_for_a_plane():
    probability, marker = row_of_peaks([250, 250], [200])
    image = np.where(probability > 0, 200, 20).astype(np.uint8)
    options = SegmentOptions(0.5, 0.2, 1, marker_rise=0.5)
    plane = PredictedPlane(Maps(probability, marker))
    joiner = by("pass-share", 0.99)
    assert len(label_plane(plane, image, options).table) == 1
    assert len(label_plane(plane, image, replace(options, joiner=joiner)).table) == 2


def test_borders_are_judged_alike_however_many_at_once(monkeypatch):
    rng = np.random.default_rng(5)
    plane = [ndimage.gaussian_filter(rng.normal(size=(120, 120)), 1.5) for _ in range(2)]
    probability, marker = (np.clip(128 + 60 * m / m.std(), 0, 255).astype(np.uint8) for m in plane)
    weights = tuple(map(tuple, rng.normal(0, 0.3, (4, SIZE + 1))))
    joiner = Joiner(0.5, Perceptron((0.5,) * SIZE, (1.0,) * SIZE, weights, tuple(rng.normal(size=5))))
    _, basins = basins_of(probability, marker, 128, 50)
    found = []
    for count_at_once in (2**15, 7):
        monkeypatch.setattr(joining, "AT_ONCE", count_at_once)
        found.append(joined(basins, joiner).instance)
    assert len(basins.borders.pairs) > 50
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("least", [0.3, 0.7])
def test_the_least_probability_decides(least):
    maps = row_of_peaks([250, 250], [125])
    even = by("population", 1.0)
    assert count(maps, replace(even, least=least)) == (1 if least < 0.5 else 2)
