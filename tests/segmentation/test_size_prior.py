import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from beadctl.model.session import Maps
from beadctl.segmentation import artefacts, instances
from beadctl.segmentation.measure import measure
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.plane import label_plane
from beadctl.segmentation.prediction import PredictedPlane, find_beads
from beadctl.segmentation.size_prior import FEWEST, LEAST_SPREAD, SizePrior

NUMBERS = {"threshold": 0.5, "marker_threshold": 0.3, "min_area_px": 1}
SIDE = 240


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), diameter=st.floats(4, 80), spread=st.floats(0.15, 0.6))
def test_median_and_spread_of_a_log_normal_law_with_strays(seed, diameter, spread):
    rng = np.random.default_rng(seed)
    sizes = diameter * np.exp(spread * rng.standard_normal(4000))
    strays = np.append(sizes, np.full(80, 20 * diameter))
    found = SizePrior.of(strays)
    assert found.diameter_px == pytest.approx(diameter, rel=0.15 * spread + 0.03)
    assert found.spread == pytest.approx(spread, rel=0.15)


def test_too_few_beads_are_no_population_and_equal_ones_are_judged_with_a_least_spread():
    assert SizePrior.of(np.full(FEWEST - 1, 9.0)) is None
    equal = SizePrior.of(np.full(FEWEST, 9.0))
    assert equal == SizePrior(pytest.approx(9.0), 0.0)
    assert equal.oddness(round(np.pi / 4 * (9 * math.exp(LEAST_SPREAD)) ** 2)) == pytest.approx(0.5, abs=0.1)


def test_odd_is_what_is_far_from_the_median_either_way():
    prior = SizePrior(10.0, 0.2)
    areas = [math.pi / 4 * (10 * factor) ** 2 for factor in (0.25, 0.8, 1.0, 1.25, 4.0)]
    tiny, small, usual, large, huge = map(prior.oddness, areas)
    assert usual == pytest.approx(0, abs=1e-9)
    assert tiny == huge > large > usual
    assert small == pytest.approx(large)


def cone(centres, radius: float) -> NDArray[np.float64]:
    """1 in the middle of each disc, 0 at its rim."""
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.max([1 - np.hypot(y - a, x - b) / radius for a, b in centres], axis=0)


def field(lone_radius: float) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A dumbbell 8 px wide and 15 px long, with a pass of 0.06 between its seeds, and 14 lone beads."""
    pair = cone([(120, 116.5), (120, 123.5)], 4.2)
    lone = cone([(30 + 60 * (n % 2) * 3, 30 + 30 * (n // 2)) for n in range(14)], lone_radius)
    seed = np.where(pair > 0, 0.5 + 0.13 * pair, np.where(lone > 0, 0.3 + 0.7 * lone, 0))
    return np.where(seed > 0, 250, 0).astype(np.uint8), np.rint(255 * seed).astype(np.uint8)


def test_a_dumbbell_is_two_beads_among_small_ones_and_one_among_large_ones():
    """Its own map is the same each time: the beads around it decide."""
    counts = {}
    for lone_radius in (4.2, 5.9):
        probability, seed = field(lone_radius)
        for use_size_prior in (True, False):
            found = instances.find_beads(
                probability, seed, **NUMBERS, join_by=0.1, use_size_prior=use_size_prior
            ).labels
            counts[lone_radius, use_size_prior] = found.max() - 14
    assert counts[4.2, True] == 2
    assert counts[5.9, True] == 1
    assert counts[4.2, False] == counts[5.9, False]


def specked(contrast: float, radius: float, bright: bool) -> tuple[Maps, NDArray[np.uint16]]:
    """Ten beads of 5 px radius in four pairs and two alone, and four things of another kind."""
    y, x = np.mgrid[:SIDE, :SIDE]
    image = np.full((SIDE, SIDE), 20_000.0)
    probability, seed = np.zeros((2, SIDE, SIDE))
    beads = [(40, 30), (40, 40), (40, 90), (40, 100), (110, 30), (110, 40), (110, 90), (110, 100)]
    things = [(beads[n], 5.0, 1.0) for n in range(8)] + [((180, 40), 5.0, 1.0), ((180, 100), 5.0, 1.0)]
    things += [((60 + 40 * n, 190), radius, contrast) for n in range(4)]
    for (a, b), r, level in things:
        distance = np.hypot(y - a, x - b)
        inside = distance <= r
        image[inside] += (1 if bright else -1) * 12_000 * level
        probability[inside] = 245
        seed = np.maximum(seed, np.where(inside, 255 * (1 - distance / (r + 1)), 0))
    image += 6_000 * x / SIDE
    return Maps(probability.astype(np.uint8), np.rint(seed).astype(np.uint8)), image.astype(np.uint16)


@pytest.mark.parametrize("bright", [True, False])
@pytest.mark.parametrize(
    ("contrast", "radius", "kept"),
    [(0.15, 1.5, 0), (0.15, 5.0, 4), (0.15, 9.0, 4), (0.6, 1.5, 4)],
    ids=["small and faint", "faint", "large and faint", "small"],
)
def test_only_what_is_both_small_and_faint_is_a_speck(contrast, radius, kept, bright):
    maps, image = specked(contrast, radius, bright)
    recipe = SegmentOptions(0.5, 0.3, 1)
    found = label_plane(PredictedPlane(maps), image, recipe)
    assert found.labels.max() == 10 + kept == len(found.table)
    assert np.unique(found.labels).tolist() == list(range(11 + kept))
    assert find_beads(maps, recipe).labels.max() == 14


def test_a_plane_of_nothing_but_specks_keeps_them():
    maps, image = specked(0.15, 1.5, True)
    alone = np.arange(SIDE) > 140
    only = Maps(maps.probability * alone, maps.marker * alone)
    assert label_plane(PredictedPlane(only), image, SegmentOptions(0.5, 0.3, 1)).labels.max() == 4


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), share=st.floats(0, 1))
def test_labels_without_some_are_the_others_in_order(seed, share):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 12, (20, 20)).astype(np.uint32)
    gone = rng.random(11) < share
    left = instances.without(labels, gone)
    assert np.array_equal(left > 0, (labels > 0) & ~np.append(False, gone)[labels])
    order = [int(left[labels == number][0]) for number in range(1, 12) if not gone[number - 1]]
    assert order == list(range(1, len(order) + 1))


def test_a_bead_without_background_around_it_is_no_speck(recwarn):
    labels = np.arange(1, 101, dtype=np.uint32).reshape(10, 10).repeat(6, 0).repeat(6, 1)
    labels[20:22, 20:22] = 101
    image = np.random.default_rng(0).normal(size=labels.shape)
    table = measure(labels, image, np.full(labels.shape, 255, np.uint8))
    assert not artefacts.artefacts(labels, image, table).any()
    assert not recwarn.list


def test_bad_pixels_around_faint_specks_make_no_beads_of_them():
    labels, image = np.zeros((80, 200), np.uint32), np.random.default_rng(0).normal(100, 1, (80, 200))
    y, x = np.indices(labels.shape)
    for number, (row, column, radius_px, height) in enumerate(
        [(20, 15 + 22 * n, 7, 100) for n in range(8)] + [(60, 15 + 22 * n, 2, 15) for n in range(3)], 1
    ):
        disc = np.hypot(y - row, x - column) < radius_px
        labels[disc] = number
        image[disc] += height
    image[66, :] = np.nan
    found = artefacts.artefacts(labels, image, measure(labels, image, np.full(labels.shape, 255, np.uint8)))
    assert (np.flatnonzero(found) + 1).tolist() == [9, 10, 11]
