"""Which pixels are beads, and how they are numbered."""

import numpy as np
import pytest
from helpers.instances import FULL, noisy_scene, same_partition
from hypothesis import given, settings
from hypothesis import strategies as st

from beadctl.segmentation import instances


@pytest.mark.parametrize("with_marker", [True, False])
def test_an_empty_plane_gives_zeros(with_marker):
    probability = np.full((7, 9), 127, dtype=np.uint8)
    found = instances.find_beads(
        probability, np.full_like(probability, 255) if with_marker else None, **FULL
    ).labels
    assert found.dtype == np.uint32
    assert found.shape == (7, 9)
    assert not found.any()


@pytest.mark.parametrize("marker", [0, 255, None])
@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1), (5, 6)])
def test_a_plane_full_of_bead_is_one_bead(marker, shape):
    probability = np.full(shape, 255, dtype=np.uint8)
    markers = None if marker is None else np.full(shape, marker, dtype=np.uint8)
    assert (instances.find_beads(probability, markers, **FULL).labels == 1).all()


def test_single_pixels_are_beads_and_corners_connect():
    probability = np.zeros((6, 6), dtype=np.uint8)
    probability[[0, 1, 4, 5], [5, 4, 1, 3]] = 255
    found = instances.find_beads(probability, np.zeros_like(probability), **FULL).labels
    assert found[[0, 1, 4, 5], [5, 4, 1, 3]].tolist() == [1, 1, 2, 3]
    larger = instances.find_beads(
        probability, np.zeros_like(probability), **{**FULL, "min_area_px": 2}
    ).labels
    assert larger[[0, 1, 4, 5], [5, 4, 1, 3]].tolist() == [1, 1, 0, 0]


def test_thresholds_are_compared_at_the_rounded_level():
    probability = np.arange(256, dtype=np.uint8).reshape(16, 16)
    for threshold in (0.0, 0.1, 0.5, 0.9, 1.0):
        found = instances.find_beads(probability, None, **{**FULL, "threshold": threshold}).labels
        assert np.flatnonzero(found)[0] == max(1, round(255 * threshold))
        assert np.count_nonzero(found) == 256 - max(1, round(255 * threshold))


@settings(max_examples=30, deadline=None)
@given(
    random=st.integers(0, 2**32),
    levels=st.lists(st.floats(0.2, 0.9), min_size=2, max_size=4),
    min_area_px=st.integers(1, 60),
)
def test_what_is_kept(random, levels, min_area_px):
    probability, marker = noisy_scene(random)
    covered = None
    for threshold in sorted(levels):
        everything = instances.find_beads(probability, marker, **{**FULL, "threshold": threshold}).labels
        on = probability >= round(255 * threshold)
        assert covered is None or not (on & ~covered).any()
        covered = everything > 0
        assert covered[on].all()
        options = {"threshold": threshold, "marker_threshold": 0.5, "min_area_px": min_area_px}
        kept = instances.find_beads(probability, marker, **options).labels
        areas = np.bincount(everything.ravel())
        wanted = areas >= min_area_px
        wanted[0] = False
        assert same_partition(kept, np.where(wanted[everything], everything, 0))


@settings(max_examples=30, deadline=None)
@given(random=st.integers(0, 2**32), with_marker=st.booleans())
def test_labels_are_numbered_by_their_first_pixel(random, with_marker):
    probability, marker = noisy_scene(random)
    found = instances.find_beads(
        probability, marker if with_marker else None, **{**FULL, "min_area_px": 8}
    ).labels
    values, first = np.unique(found, return_index=True)
    assert values.tolist() == list(range(len(values)))
    assert (np.diff(first[1:]) > 0).all()


@pytest.mark.parametrize(
    ("probability", "marker"),
    [
        (np.zeros((4, 4)), None),
        (np.zeros((4, 4, 1), np.uint8), None),
        (np.zeros((4, 4), np.uint8), np.zeros((4, 5), np.uint8)),
        (np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.float32)),
    ],
)
def test_wrong_maps_are_refused(probability, marker):
    with pytest.raises(ValueError, match="map is"):
        instances.find_beads(probability, marker, **FULL)
