"""Regions of basins: their sums and features against those measured on the pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from beadctl.model.joiner import JOIN_FEATURES
from beadctl.segmentation.basins import basins_of
from beadctl.segmentation.regions import Population, Regions


def scene(seed, size=48):
    """Maps of blobs of every shape, and their basins: the number of each pixel's, and the table."""
    rng = np.random.default_rng(seed)
    maps = [ndimage.gaussian_filter(rng.normal(size=(size, size)), 2) for _ in range(2)]
    probability, marker = (np.clip(128 + 60 * m / m.std(), 0, 255).astype(np.uint8) for m in maps)
    labels, basins = basins_of(probability, marker, 128, 60)
    return probability, marker, basins.of_number[labels], basins


def measured(number, one, probability):
    """Area, mean probability, centre, fill and log aspect ratio of a region, by its pixels."""
    rows, columns = np.nonzero(number == one)
    moments = np.cov(np.stack((rows, columns)), bias=True) + np.eye(2) / 12
    low, high = np.linalg.eigvalsh(moments)
    fill = rows.size / (4 * np.pi * np.sqrt(low * high))
    return (
        rows.size,
        probability[rows, columns].mean(),
        rows.mean(),
        columns.mean(),
        fill,
        np.log(high / low) / 2,
    )


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_features_are_those_of_the_pixels_after_any_joining(seed):
    probability, marker, number, basins = scene(seed)
    regions, rng = Regions.of(basins), np.random.default_rng(seed)
    for _ in range(2):
        if not len(regions.borders.pairs):
            return
        regions = regions.joined(rng.random(len(regions.borders.pairs)) < 0.3)
    number = regions.of_basin[number]
    rows = regions.features(Population(10.0, 0.1, 0.9, 0.2))
    for (one, other), row in zip(regions.borders.pairs.tolist(), rows, strict=True):
        got = dict(zip(JOIN_FEATURES, row, strict=True))
        heights = {region: marker[number == region].max() for region in (one, other)}
        areas = {region: (number == region).sum() for region in (one, other)}
        lower, higher = sorted((one, other), key=lambda region: (heights[region], areas[region]))
        union = np.where(number == higher, lower, number)
        low, high, both = (
            measured(plane, region, probability)
            for plane, region in ((number, lower), (number, higher), (union, lower))
        )
        sizes = [np.log(np.sqrt(4 / np.pi * area)) for area, *_ in (low, high, both)]
        expected = {
            "marker-lower": heights[lower] / 255,
            "marker-higher": heights[higher] / 255,
            "log-diameter-lower": sizes[0],
            "log-diameter-union": sizes[2],
            "fill-lower": low[4],
            "fill-higher": high[4],
            "fill-union": both[4],
            "log-aspect-union": both[5],
            "distance": np.hypot(low[2] - high[2], low[3] - high[3]) / np.exp(sizes[:2]).mean(),
            "probability-lower": low[1] / 255,
            "probability-higher": high[1] / 255,
            "population": 1.0,
            "size-higher": sizes[1] - np.log(10.0),
            "population-fill": 0.9,
        }
        if heights[lower] == heights[higher] and areas[lower] == areas[higher]:
            continue
        assert {name: got[name] for name in expected} == pytest.approx(expected, abs=1e-6)


def test_without_a_population_its_features_are_zero():
    *_, basins = scene(1)
    rows = Regions.of(basins).features(None)
    of_population = [k for k, name in enumerate(JOIN_FEATURES) if name.startswith(("population", "size"))]
    assert len(rows) > 5
    assert not rows[:, of_population].any()


def test_a_region_is_known_by_its_highest_basin():
    *_, basins = scene(3)
    regions = Regions.of(basins).joined(np.ones(len(basins.borders.pairs), bool))
    for region in np.unique(regions.of_basin[1:]):
        assert basins.height[region] == basins.height[regions.of_basin == region].max()
    assert not len(regions.borders.pairs)
    assert regions.sums[:, 0].sum() == basins.area_px.sum()


def test_the_population_is_that_of_the_sure_regions():
    labels = np.zeros((40, 120), np.uint8)
    y, x = np.mgrid[:40, :120]
    for column, radius in ((20, 8), (60, 8), (100, 12)):
        labels[np.hypot(y - 20, x - column) <= radius] = 250
    _, basins = basins_of(labels, labels, 128, 60)
    population = Regions.of(basins).population
    assert population.diameter_px == pytest.approx(2 * 8.0, rel=0.05)
    assert population.fill == pytest.approx(1.0, abs=0.02)
    assert population.log_aspect == pytest.approx(0.0, abs=0.01)
    assert population.spread == pytest.approx(0.0, abs=1e-9)


def test_no_sure_region_is_no_population():
    faint = np.full((20, 20), 130, np.uint8)
    _, basins = basins_of(faint, faint, 128, 60)
    assert Regions.of(basins).population is None
