"""Beads that touch: which peaks part them, and which pixels each gets."""

import numpy as np
import pytest
from helpers.instances import EIGHT, FULL, discs, noisy_scene, probability_of
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.morphology import local_maxima, reconstruction

from beadctl.evaluation import metrics
from beadctl.segmentation import basins as basins_module
from beadctl.segmentation import instances
from beadctl.segmentation.basins import RiseLimits


@settings(max_examples=40, deadline=None)
@given(random=st.integers(0, 2**32), count=st.integers(1, 40))
@example(19216, 28)
def test_touching_discs_are_divided_by_their_markers(random, count):
    truth, marker = discs(random, count, (3, 20))
    found = instances.find_beads(probability_of(truth), marker, **FULL, use_size_prior=False).labels
    assert found.max() == truth.max()
    counts = metrics.instance_counts(truth, found)
    assert counts.f1(0.75) == 1
    # A background pixel in the crevice between two discs may count as a hole of one of them.
    added = (found > 0) & (truth == 0)
    assert (found > 0)[truth > 0].all()
    assert added.sum() <= 2 * truth.max()


def test_the_size_prior_joins_few_touching_discs():
    """Known limit: sizes that look odd beside the others outweigh exact markers now and then."""
    placed = lost = 0
    for random in range(300):
        truth, marker = discs(random, 1 + random % 40, (3, 20))
        found = instances.find_beads(probability_of(truth), marker, **FULL).labels
        assert found.max() <= truth.max()
        placed, lost = placed + int(truth.max()), lost + int(truth.max() - found.max())
    assert placed > 4000
    assert lost < 0.002 * placed


@settings(max_examples=25, deadline=None)
@given(random=st.integers(0, 2**32), count=st.integers(1, 25))
def test_touching_discs_are_told_apart_without_a_marker_map(random, count):
    truth, _ = discs(random, count, (5, 20), gap_px=1)
    found = instances.find_beads(probability_of(truth), None, **FULL).labels
    assert found.max() == truth.max()
    assert metrics.instance_counts(truth, found).f1(0.75) == 1


def test_an_uneven_bead_stays_whole_without_a_marker_map():
    y, x = np.mgrid[:140, :140]
    for radius in np.arange(4, 45, 0.9):
        for lobes, oblong in ((5, 1.0), (4, 1.5)):
            dy, dx = y - 70.3, (x - 69.6) / oblong
            rim = radius * (1 + 0.1 * np.sin(lobes * np.arctan2(dy, dx)))
            bead = np.hypot(dy, dx) <= rim
            assert instances.find_beads(probability_of(bead), None, **FULL).labels.max() == 1


@pytest.mark.parametrize("oblong", [1.5, 3])
def test_a_small_oblong_bead_stays_whole_without_a_marker_map_whichever_way_it_lies(oblong):
    y, x = np.mgrid[:40, :40]
    rng = np.random.default_rng(0)
    for _ in range(150):
        radius, turn = rng.uniform(2, 10), rng.uniform(0, np.pi)
        dy, dx = y - rng.uniform(19, 20), x - rng.uniform(19, 20)
        along, aside = dy * np.cos(turn) + dx * np.sin(turn), dx * np.cos(turn) - dy * np.sin(turn)
        bead = np.hypot(along / oblong**0.5, aside * oblong**0.5) <= radius
        assert instances.find_beads(probability_of(bead), None, **FULL).labels.max() == 1


def test_one_bead_of_any_size_stays_whole_without_a_marker_map():
    y, x = np.mgrid[:140, :140]
    for radius in np.arange(0.5, 60, 0.7):
        disc = np.hypot(y - 70.3, x - 69.6) <= radius
        assert instances.find_beads(probability_of(disc), None, **FULL).labels.max() == disc.any()


@settings(max_examples=60, deadline=None)
@given(random=st.integers(0, 2**32), marker_threshold=st.floats(0.3, 0.9), rise=st.integers(1, 60))
@example(random=145, marker_threshold=0.75, rise=53)
def test_a_bead_is_a_peak_of_enough_dynamics(random, marker_threshold, rise):
    """The oracle is morphological reconstruction, component by component (Soille, section 6.3.4)."""
    probability, marker = noisy_scene(random, 64)
    marker[probability < 128] = 0
    with pytest.MonkeyPatch.context() as all_sizes_alike:
        all_sizes_alike.setattr(basins_module, "LIMITS", RiseLimits(range=(1.0, 1.0)))
        found = instances.find_beads(
            probability,
            marker,
            threshold=0.5,
            marker_threshold=marker_threshold,
            min_area_px=1,
            join_by=rise / 255,
            use_size_prior=False,
        ).labels
    components, count = ndimage.label(probability >= 128, structure=EIGHT)
    for component in range(1, count + 1):
        here = components == component
        height = np.where(here, marker.astype(int), -1000)
        lowered = reconstruction(height - (rise - 1), height, footprint=EIGHT)
        peaks, peak_count = ndimage.label(local_maxima(lowered, connectivity=2) & here, structure=EIGHT)
        tops = ndimage.maximum(height, peaks, range(1, peak_count + 1))
        high = np.count_nonzero(np.asarray(tops) >= round(255 * marker_threshold))
        assert len(np.unique(found[here])) == max(1, high)


def test_equal_peaks_share_the_pixels_between_them_by_distance():
    probability = np.full((1, 9), 255, dtype=np.uint8)
    marker = np.array([[255, 9, 9, 9, 9, 9, 9, 9, 255]], dtype=np.uint8)
    found = instances.find_beads(probability, marker, **FULL).labels
    assert found.tolist() in ([[1] * 5 + [2] * 4], [[1] * 4 + [2] * 5])


def test_a_slanting_one_pixel_ridge_is_one_peak():
    probability = np.full((8, 8), 200, dtype=np.uint8)
    marker = np.where(np.eye(8, dtype=bool), 255, 40).astype(np.uint8)
    assert instances.find_beads(probability, marker, **FULL).labels.max() == 1


def test_a_component_without_a_peak_is_a_bead_beside_one_with_two():
    probability = np.zeros((5, 20), dtype=np.uint8)
    probability[1:4, 1:4] = probability[1:4, 6:19] = 255
    marker = np.zeros_like(probability)
    marker[2, [7, 17]] = 255
    found = instances.find_beads(probability, marker, **FULL).labels
    assert found.max() == 3
    assert found[2, [2, 7, 17]].tolist() == [1, 2, 3]


@pytest.mark.parametrize(("radius_px", "beads"), [(3, 2), (5, 2), (25, 1)])
def test_a_large_bead_needs_a_deeper_pass_than_a_small_one(radius_px, beads):
    """The same two peaks with a pass of 0.15 between them, at three sizes."""
    side = 5 * radius_px
    y, x = np.mgrid[:side, : 2 * side]
    left, right = (np.hypot(y - side / 2, x - side + sign * radius_px) for sign in (1, -1))
    near = np.minimum(left, right) / radius_px
    probability = np.where(near <= 1.2, 250, 0).astype(np.uint8)
    across = np.abs(x - side) / radius_px
    marker = np.where(near <= 1.2, 0.95 - 0.15 * np.clip(1 - across, 0, 1) - 0.1 * near, 0)
    found = instances.find_beads(
        probability, (255 * marker).astype(np.uint8), threshold=0.5, marker_threshold=0.5, min_area_px=1
    ).labels
    assert found.max() == beads
