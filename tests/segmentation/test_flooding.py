"""Components are packed and flooded together, each as if it were alone."""

import tracemalloc

import numpy as np
import pytest
from helpers.instances import EIGHT, FULL, noisy_scene, plain, same_partition
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from beadctl.segmentation import instances


@settings(max_examples=60, deadline=None)
@given(random=st.integers(0, 2**32))
def test_packed_flooding_equals_one_watershed_of_the_plane(random):
    probability, marker = noisy_scene(random)
    every_peak = 1 / 255
    found = instances.find_beads(
        probability, marker, threshold=0.5, marker_threshold=every_peak, min_area_px=1, join_by=0
    ).labels
    expected = plain(probability, marker, marker_threshold=every_peak)
    on = probability >= 128
    assert same_partition(found[on], expected[on])
    assert (found[on] > 0).all()


@settings(max_examples=30, deadline=None)
@given(
    random=st.integers(0, 2**32), with_marker=st.booleans(), row=st.integers(0, 50), column=st.integers(0, 70)
)
def test_a_component_comes_out_the_same_whatever_is_beside_it(random, with_marker, row, column):
    options = FULL | {"use_size_prior": False}
    probability, marker = noisy_scene(random, 48)
    probability[[0, -1], :] = probability[:, [0, -1]] = 0
    around, marker_around = noisy_scene(random + 1, 150)
    inner = slice(row, row + 48), slice(column, column + 48)
    around[inner], marker_around[inner] = probability, marker
    alone = instances.find_beads(probability, marker if with_marker else None, **options).labels
    among = instances.find_beads(around, marker_around if with_marker else None, **options).labels[inner]
    assert same_partition(alone, among)


def test_long_slanting_components_whose_boxes_overlap_are_not_packed():
    probability = np.zeros((120, 120), dtype=np.uint8)
    marker = np.zeros_like(probability)
    for offset in range(-100, 101, 4):
        line = np.eye(120, k=offset, dtype=bool)
        probability[line] = 255
        marker[line] = 100
        ends = np.flatnonzero(line)[[0, -1]]
        marker.ravel()[ends] = 255
    found = instances.find_beads(probability, marker, **FULL).labels
    assert found.max() == 2 * len(range(-100, 101, 4))
    assert same_partition(found, plain(probability, marker))


def test_packing_never_costs_much_more_memory_than_the_plane():
    probability = np.zeros((500, 500), dtype=np.uint8)
    for offset in range(-480, 481, 4):
        probability[np.eye(500, k=offset, dtype=bool)] = 255
    tracemalloc.start()
    try:
        instances.find_beads(probability, None, **FULL)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 200 * probability.size


@pytest.mark.parametrize("turned", [False, True])
def test_packed_neighbours_do_not_flood_each_other(turned):
    probability, marker = np.zeros((2, 60, 120), dtype=np.uint8)
    for top, left in ((10, 10), (10, 80), (45, 10), (45, 80)):
        probability[top : top + 3, left : left + 21] = 255
        marker[top : top + 3, left : left + 21] = 100
        marker[top : top + 3, [left + 14, left + 20]] = 255
        marker[top : top + 3, left + 6 : left + 14] = 30
    if turned:
        probability, marker = (np.ascontiguousarray(plane.T) for plane in (probability, marker))
    found = instances.find_beads(probability, marker, **FULL).labels
    assert found.max() == 8
    assert ndimage.label(found, structure=EIGHT)[1] == 4
    assert same_partition(found, plain(probability, marker))
