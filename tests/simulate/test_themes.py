"""Plans of scenes by theme."""

import numpy as np
from scipy.ndimage import binary_dilation
from scipy.spatial import cKDTree

from beadctl.simulate.fields import Field, draw_field
from beadctl.simulate.packing import PACKINGS
from beadctl.simulate.plan import draw_beads
from beadctl.simulate.themes import THEMES, draw_plan, themed_plan


def fields(theme: str, number: int, size: int = 160) -> list[Field]:
    result = []
    for seed in range(number):
        rng = np.random.default_rng([3, seed])
        plan = themed_plan(rng, theme, (size, size))
        result.append(draw_field(rng, plan, draw_beads(rng, plan, (size, size)), (size, size)))
    return result


def contrasts(field: Field) -> np.ndarray:
    number = np.bincount(field.labels.ravel(), minlength=len(field.beads) + 1)[1:]
    total = np.bincount(field.labels.ravel(), field.signal.ravel(), minlength=len(field.beads) + 1)[1:]
    return np.asarray((total / np.maximum(number, 1))[number > 30])


def test_every_theme_is_drawn() -> None:
    drawn = {draw_plan(np.random.default_rng(seed), (200, 200)).theme for seed in range(300)}
    assert drawn == set(THEMES)


def test_packed_layers_are_of_all_polarities_and_densities() -> None:
    packed = fields("packed", 40)
    density = np.array([(field.labels > 0).mean() for field in packed])
    assert np.median(density) > 0.5
    assert density.max() > 0.8
    assert {field.polarity for field in packed} == {"dark", "bright"}


def test_a_field_of_both_polarities_has_dark_and_bright_beads() -> None:
    both = [contrasts(field) for field in fields("polarities", 20)]
    assert np.mean([means.min() < 0 < means.max() for means in both if len(means) > 8]) > 0.8


def test_neighbours_are_of_unequal_brightness() -> None:
    ratios = [np.ptp(np.log(np.abs(m))) for f in fields("unequal", 20) if len(m := contrasts(f)) > 8]
    assert np.median(ratios) > np.log(2.5)


def test_few_beads_are_few() -> None:
    assert all(len(field.beads) <= 6 for field in fields("few", 20))


def test_large_beads_fit_in_the_image() -> None:
    for theme in ("hollow", "gel", "foam", "yeast"):
        for seed in range(20):
            plan = themed_plan(np.random.default_rng(seed), theme, (300, 400))
            assert plan.diameter_px <= 150
            assert plan.arrangement.layout not in PACKINGS or plan.arrangement.count > 5


def test_beads_of_a_heap_lie_closer_than_their_diameter() -> None:
    nearest = []
    for field in fields("heaps", 20):
        if len(field.beads) > 8:
            places = np.column_stack([field.beads.y, field.beads.x])
            apart = cKDTree(places).query(places, 2)[0][:, 1]
            nearest.append(np.median(apart) / (2 * np.median(field.beads.radius_px)))
    assert 0.65 < np.median(nearest) < 0.95


def test_light_adds_up_inside_a_heap() -> None:
    gaps, edges = [], []
    for field in fields("heaps", 30):
        if field.polarity == "bright" and len(field.beads) > 20:
            inside = binary_dilation(field.labels > 0, iterations=2) & (field.labels == 0)
            gaps.append(float(field.image[inside].mean()) - field.base)
            edges.append(float(field.image[field.labels > 0].mean()) - field.base)
    assert np.median(np.array(gaps) / np.array(edges)) > 0.25
