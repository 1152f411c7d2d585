"""Simulated scenes: exactly labelled, visible, varied."""

import numpy as np
import pytest
from scipy import ndimage

from beadctl.simulate import Scene, render
from beadctl.simulate.looks import LOOKS
from beadctl.simulate.supports import SUPPORTS


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [render(np.random.default_rng([7, i]), 160) for i in range(240)]


def visibility(scene: Scene) -> list[float]:
    """Return the contrast of each separate bead with the ring around it, over the noise of the ring."""
    image = scene.image.astype(float)
    result = []
    for number, box in enumerate(ndimage.find_objects(scene.labels.astype(int)), start=1):
        around = tuple(slice(max(0, side.start - 6), side.stop + 6) for side in box)
        own, pixels = scene.labels[around] == number, image[around]
        near = ndimage.binary_dilation(own, iterations=5) & ~ndimage.binary_dilation(own, iterations=2)
        if np.any((scene.labels[around] > 0) & ~own) or near.sum() < 12 or own.sum() < 12:
            continue
        ring = pixels[near]
        noise = max(1.4826 * float(np.median(np.abs(ring - np.median(ring)))), 1.0)
        rms = np.sqrt(np.mean((pixels[own] - np.median(ring)) ** 2))
        result.append(float(rms / noise))
    return result


def test_labels_are_consecutive_and_facts_correct(scenes: list[Scene]) -> None:
    for scene in scenes:
        assert scene.image.shape == scene.labels.shape == (160, 160)
        assert scene.image.dtype in (np.uint8, np.uint16)
        assert scene.labels.dtype == np.uint32
        count = int(scene.labels.max())
        np.testing.assert_array_equal(np.unique(scene.labels[scene.labels > 0]), np.arange(1, count + 1))
        assert scene.facts["beads"] == count
        assert scene.image.max() < 2 ** int(scene.facts["bits"])
        assert all(type(value) in (str, int, float, bool) for value in scene.facts.values())


def test_all_looks_and_polarities_empty_and_crowded_scenes_occur(scenes: list[Scene]) -> None:
    with_beads = [scene.facts for scene in scenes if scene.facts["beads"]]
    assert {facts["look"] for facts in with_beads} == {*LOOKS, "sphere", "cells", "yeast"}
    assert {facts["polarity"] for facts in with_beads} == {"bright", "dark"}
    assert {scene.image.dtype.name for scene in scenes} == {"uint8", "uint16"}
    empty = len(scenes) - len(with_beads)
    assert 0.03 < empty / len(scenes) < 0.25
    assert max(int(facts["beads"]) for facts in with_beads) > 100


def test_labelled_beads_are_visible(scenes: list[Scene]) -> None:
    # An uneven support varies within the ring around a bead: see test_supports.
    even = [scene for scene in scenes if str(scene.facts["texture"]).split("+")[0] not in SUPPORTS]
    steps = np.array([step for scene in even for step in visibility(scene)])
    assert len(steps) > 300
    assert np.mean(steps > 1.5) >= 0.95
    assert np.median(steps) > 5


def test_empty_scene_has_no_labels(scenes: list[Scene]) -> None:
    empty = [scene for scene in scenes if not scene.facts["beads"]]
    assert all(not scene.labels.any() and scene.image.std() > 0 for scene in empty)


@pytest.mark.parametrize("size", [(37, 113), (113, 37), (16, 16), 33, (1, 5)])
def test_unusual_sizes(size: int | tuple[int, int]) -> None:
    for seed in range(25):
        scene = render(np.random.default_rng(seed), size)
        assert scene.image.shape == scene.labels.shape == ((size, size) if isinstance(size, int) else size)
