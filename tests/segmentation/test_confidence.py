"""Beads of little confidence: which count all the same."""

import numpy as np
import pytest
from helpers.instances import noisy_scene
from scipy import ndimage

from beadctl.segmentation import instances
from beadctl.segmentation.measure import measure


@pytest.mark.parametrize("use_size_prior", [True, False])
def test_beads_of_little_confidence_are_dropped(use_size_prior):
    """What is compared is what `beads.measure` tells of each bead."""
    probability, marker = noisy_scene(4)
    numbers = {"threshold": 0.5, "marker_threshold": 0.5, "min_area_px": 1, "use_size_prior": use_size_prior}
    every = instances.find_beads(probability, marker, **numbers).labels
    told = measure(every, None, probability, marker)
    level = float(np.median(told.confidence))
    found = instances.find_beads(probability, marker, min_confidence=level, **numbers).labels
    assert 0 < found.max() < every.max()
    components, _ = ndimage.label(probability >= 128, np.ones((3, 3)))
    enough = told.confidence >= level
    good = [components[(every == one) & (probability >= 128)].max() for one in told.label[enough]]
    areas = np.bincount(every[probability >= 128])[told.label]
    usual = np.median(areas[told.confidence >= 0.8]) if use_size_prior else 0.0
    of = np.array([components[(every == one) & (probability >= 128)].max() for one in told.label])
    company = np.isin(of, good) & (told.confidence >= 0.75 * level) & (areas >= 0.6 * usual)
    assert (company & ~enough).any()
    assert np.array_equal(found > 0, np.isin(every, told.label[enough | company]))


def test_a_doubtful_bead_counts_in_good_company():
    """A clump of two, one sure and one not quite; the same alone; and a splinter beside a sure one."""
    y, x = np.indices((40, 120))
    probability, marker = np.zeros((40, 120)), np.zeros((40, 120))
    doubtful = 0.5**0.5
    beads = [(15, 8, 1.0), (32, 8, doubtful), (70, 8, doubtful), (100, 8, 1.0), (111, 3, doubtful)]
    for left, radius_px, belief in beads:
        away = np.hypot(y - 20, x - left)
        probability = np.maximum(probability, belief * (away <= radius_px))
        marker = np.maximum(marker, belief * np.clip(1 - away / (radius_px + 1), 0, 1) * (away <= radius_px))
    probability[18:23, 23], probability[20, 108] = 0.6, 0.6  # the bridges
    maps = [np.rint(255 * plane).astype(np.uint8) for plane in (probability, marker)]
    found = instances.find_beads(
        *maps, threshold=0.5, marker_threshold=0.3, min_area_px=1, min_confidence=0.6, join_by=0.05
    ).labels
    assert [int(found[20, left] > 0) for left, *_ in beads] == [1, 1, 0, 1, 0]
