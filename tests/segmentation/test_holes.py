"""Holes of beads: which are filled."""

import numpy as np
from helpers.instances import FULL, probability_of
from numpy.typing import NDArray

from beadctl.segmentation import instances


def ring(outer: float, inner: float) -> NDArray[np.bool_]:
    y, x = np.mgrid[:41, :41]
    distance = np.hypot(y - 20, x - 20)
    return (distance <= outer) & (distance >= inner)


def test_rings_are_filled_up_to_their_own_area():
    y, x = np.mgrid[:41, :41]
    marker = np.zeros((41, 41), dtype=np.uint8)
    found = instances.find_beads(probability_of(ring(15, 8)), marker, **FULL).labels
    assert (found == (np.hypot(y - 20, x - 20) <= 15)).all()
    wide = ring(15, 13)
    assert (instances.find_beads(probability_of(wide), marker, **FULL).labels == wide).all()
    filled = {**FULL, "min_area_px": int(ring(15, 8).sum()) + 1}
    assert instances.find_beads(probability_of(ring(15, 8)), marker, **filled).labels.max() == 1


def test_a_hole_with_another_bead_or_with_two_owners_stays():
    inhabited = ring(15, 8)
    inhabited[20, 20] = True
    marker = np.zeros((41, 41), dtype=np.uint8)
    assert not instances.find_beads(probability_of(inhabited), marker, **FULL).labels[20, 17]
    marker[20, [7, 33]] = 255
    halves = instances.find_beads(probability_of(ring(15, 8)), marker, **FULL).labels
    assert halves.max() == 2
    assert not halves[20, 20]


def test_holes_open_to_the_edge_stay_and_others_beside_them_fill():
    mask = np.zeros((12, 30), dtype=bool)
    mask[0:6, 0:6] = True
    mask[0, 2:4] = mask[1, 2:4] = False
    mask[3, 3] = False
    mask[8:12, 20:30] = True
    mask[11, 22] = False
    mask[9:11, 25] = False
    found = instances.find_beads(probability_of(mask), np.zeros(mask.shape, dtype=np.uint8), **FULL).labels
    assert found[3, 3] == 1
    assert (found[9:11, 25] == 2).all()
    assert not found[0, 2]
    assert not found[11, 22]
