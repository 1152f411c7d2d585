import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import local_maxima, reconstruction
from skimage.segmentation import watershed

from beadctl.evaluation import metrics
from beadctl.segmentation import basins as basins_module
from beadctl.segmentation import instances
from beadctl.segmentation.basins import RiseLimits
from beadctl.segmentation.measure import measure

EIGHT = np.ones((3, 3), dtype=bool)
FULL = {"threshold": 0.5, "marker_threshold": 0.5, "min_area_px": 1}


def discs(
    random: int, count: int, radii: tuple[float, float], size: int = 160, gap_px: float = 0.5
) -> tuple[NDArray[np.uint32], NDArray[np.uint8]]:
    """Discs that touch but never overlap, and their exact marker map."""
    rng = np.random.default_rng(random)
    labels = np.zeros((size, size), dtype=np.uint32)
    seed = np.zeros((size, size))
    placed: list[tuple[float, float, float]] = []
    y, x = np.mgrid[:size, :size]
    for _ in range(20 * count):
        radius = rng.uniform(*radii)
        centre_y, centre_x = rng.uniform(radius, size - 1 - radius, 2)
        if placed and rng.random() < 0.7:
            near_y, near_x, near_radius = placed[rng.integers(len(placed))]
            angle, away = rng.uniform(0, 2 * np.pi), near_radius + radius + gap_px
            centre_y, centre_x = near_y + away * np.sin(angle), near_x + away * np.cos(angle)
        if not (radius <= min(centre_y, centre_x) and max(centre_y, centre_x) <= size - 1 - radius):
            continue
        if any(np.hypot(centre_y - b, centre_x - a) < r + radius + gap_px - 1e-6 for b, a, r in placed):
            continue
        placed.append((centre_y, centre_x, radius))
        distance = np.hypot(y - centre_y, x - centre_x)
        labels[distance <= radius] = len(placed)
        seed = np.maximum(seed, 1 - distance / (radius + 0.5))
        if len(placed) == count:
            break
    return labels, np.rint(255 * seed * (labels > 0)).astype(np.uint8)


def probability_of(labels: NDArray[np.uint32]) -> NDArray[np.uint8]:
    return np.where(labels > 0, 230, 20).astype(np.uint8)


def noisy_scene(random: int, size: int = 96) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Blobs of every shape, with holes, plateaus and many equal values."""
    rng = np.random.default_rng(random)
    maps = [ndimage.gaussian_filter(rng.normal(size=(size, size)), rng.uniform(1, 4)) for _ in range(2)]
    return tuple(np.clip(128 + 60 * m / m.std(), 0, 255).astype(np.uint8) for m in maps)


def same_partition(a: NDArray[np.generic], b: NDArray[np.generic]) -> bool:
    pairs = np.unique(np.stack((a.ravel().astype(int), b.ravel().astype(int))), axis=1)
    return all(len(np.unique(side)) == pairs.shape[1] for side in pairs) and ((pairs == 0).sum(0) != 1).all()


def plain(probability, seed, threshold=0.5, marker_threshold=0.5):
    """The textbook road: one watershed of the whole plane, no packing, no short cuts."""
    mask = probability >= round(255 * threshold)
    peaks = local_maxima(np.where(mask, seed, 0), connectivity=2) & (seed >= round(255 * marker_threshold))
    markers, count = ndimage.label(mask & peaks, structure=EIGHT)
    components, _ = ndimage.label(mask, structure=EIGHT)
    seedless = ~np.isin(components, components[markers > 0])
    markers = np.where(mask & seedless, count + components, markers)
    relief = 255.0 - seed
    at = np.flatnonzero(markers)
    relief.flat[at] += np.linspace(-0.5, 0, at.size, endpoint=False)
    return watershed(relief, markers, mask=mask, connectivity=2)


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
def test_touching_discs_are_told_apart_without_a_seed_map(random, count):
    truth, _ = discs(random, count, (5, 20), gap_px=1)
    found = instances.find_beads(probability_of(truth), None, **FULL).labels
    assert found.max() == truth.max()
    assert metrics.instance_counts(truth, found).f1(0.75) == 1


def test_an_uneven_bead_stays_whole_without_a_seed_map():
    y, x = np.mgrid[:140, :140]
    for radius in np.arange(4, 45, 0.9):
        for lobes, oblong in ((5, 1.0), (4, 1.5)):
            dy, dx = y - 70.3, (x - 69.6) / oblong
            rim = radius * (1 + 0.1 * np.sin(lobes * np.arctan2(dy, dx)))
            bead = np.hypot(dy, dx) <= rim
            assert instances.find_beads(probability_of(bead), None, **FULL).labels.max() == 1


@pytest.mark.parametrize("oblong", [1.5, 3])
def test_a_small_oblong_bead_stays_whole_without_a_seed_map_whichever_way_it_lies(oblong):
    y, x = np.mgrid[:40, :40]
    rng = np.random.default_rng(0)
    for _ in range(150):
        radius, turn = rng.uniform(2, 10), rng.uniform(0, np.pi)
        dy, dx = y - rng.uniform(19, 20), x - rng.uniform(19, 20)
        along, aside = dy * np.cos(turn) + dx * np.sin(turn), dx * np.cos(turn) - dy * np.sin(turn)
        bead = np.hypot(along / oblong**0.5, aside * oblong**0.5) <= radius
        assert instances.find_beads(probability_of(bead), None, **FULL).labels.max() == 1


def test_one_bead_of_any_size_stays_whole_without_a_seed_map():
    y, x = np.mgrid[:140, :140]
    for radius in np.arange(0.5, 60, 0.7):
        disc = np.hypot(y - 70.3, x - 69.6) <= radius
        assert instances.find_beads(probability_of(disc), None, **FULL).labels.max() == disc.any()


@settings(max_examples=60, deadline=None)
@given(random=st.integers(0, 2**32))
def test_packed_flooding_equals_one_watershed_of_the_plane(random):
    probability, seed = noisy_scene(random)
    every_peak = 1 / 255
    found = instances.find_beads(
        probability, seed, threshold=0.5, marker_threshold=every_peak, min_area_px=1, join_by=0
    ).labels
    expected = plain(probability, seed, marker_threshold=every_peak)
    on = probability >= 128
    assert same_partition(found[on], expected[on])
    assert (found[on] > 0).all()


@settings(max_examples=60, deadline=None)
@given(random=st.integers(0, 2**32), marker_threshold=st.floats(0.3, 0.9), rise=st.integers(1, 60))
@example(random=145, marker_threshold=0.75, rise=53)
def test_a_bead_is_a_peak_of_enough_dynamics(random, marker_threshold, rise):
    """The oracle is morphological reconstruction, component by component (Soille, section 6.3.4)."""
    probability, seed = noisy_scene(random, 64)
    seed[probability < 128] = 0
    with pytest.MonkeyPatch.context() as all_sizes_alike:
        all_sizes_alike.setattr(basins_module, "LIMITS", RiseLimits(range=(1.0, 1.0)))
        found = instances.find_beads(
            probability,
            seed,
            threshold=0.5,
            marker_threshold=marker_threshold,
            min_area_px=1,
            join_by=rise / 255,
            use_size_prior=False,
        ).labels
    components, count = ndimage.label(probability >= 128, structure=EIGHT)
    for component in range(1, count + 1):
        here = components == component
        height = np.where(here, seed.astype(int), -1000)
        lowered = reconstruction(height - (rise - 1), height, footprint=EIGHT)
        peaks, peak_count = ndimage.label(local_maxima(lowered, connectivity=2) & here, structure=EIGHT)
        tops = ndimage.maximum(height, peaks, range(1, peak_count + 1))
        high = np.count_nonzero(np.asarray(tops) >= round(255 * marker_threshold))
        assert len(np.unique(found[here])) == max(1, high)


@settings(max_examples=30, deadline=None)
@given(
    random=st.integers(0, 2**32), with_seed=st.booleans(), row=st.integers(0, 50), column=st.integers(0, 70)
)
def test_a_component_comes_out_the_same_whatever_is_beside_it(random, with_seed, row, column):
    options = FULL | {"use_size_prior": False}
    probability, seed = noisy_scene(random, 48)
    probability[[0, -1], :] = probability[:, [0, -1]] = 0
    around, seed_around = noisy_scene(random + 1, 150)
    inner = slice(row, row + 48), slice(column, column + 48)
    around[inner], seed_around[inner] = probability, seed
    alone = instances.find_beads(probability, seed if with_seed else None, **options).labels
    among = instances.find_beads(around, seed_around if with_seed else None, **options).labels[inner]
    assert same_partition(alone, among)


def test_long_slanting_components_whose_boxes_overlap_are_not_packed():
    probability = np.zeros((120, 120), dtype=np.uint8)
    seed = np.zeros_like(probability)
    for offset in range(-100, 101, 4):
        line = np.eye(120, k=offset, dtype=bool)
        probability[line] = 255
        seed[line] = 100
        ends = np.flatnonzero(line)[[0, -1]]
        seed.ravel()[ends] = 255
    found = instances.find_beads(probability, seed, **FULL).labels
    assert found.max() == 2 * len(range(-100, 101, 4))
    assert same_partition(found, plain(probability, seed))


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
    probability, seed = np.zeros((2, 60, 120), dtype=np.uint8)
    for top, left in ((10, 10), (10, 80), (45, 10), (45, 80)):
        probability[top : top + 3, left : left + 21] = 255
        seed[top : top + 3, left : left + 21] = 100
        seed[top : top + 3, [left + 14, left + 20]] = 255
        seed[top : top + 3, left + 6 : left + 14] = 30
    if turned:
        probability, seed = (np.ascontiguousarray(plane.T) for plane in (probability, seed))
    found = instances.find_beads(probability, seed, **FULL).labels
    assert found.max() == 8
    assert ndimage.label(found, structure=EIGHT)[1] == 4
    assert same_partition(found, plain(probability, seed))


def test_equal_peaks_share_the_pixels_between_them_by_distance():
    probability = np.full((1, 9), 255, dtype=np.uint8)
    seed = np.array([[255, 9, 9, 9, 9, 9, 9, 9, 255]], dtype=np.uint8)
    found = instances.find_beads(probability, seed, **FULL).labels
    assert found.tolist() in ([[1] * 5 + [2] * 4], [[1] * 4 + [2] * 5])


@pytest.mark.parametrize("with_seed", [True, False])
def test_an_empty_plane_gives_zeros(with_seed):
    probability = np.full((7, 9), 127, dtype=np.uint8)
    found = instances.find_beads(
        probability, np.full_like(probability, 255) if with_seed else None, **FULL
    ).labels
    assert found.dtype == np.uint32
    assert found.shape == (7, 9)
    assert not found.any()


@pytest.mark.parametrize("seed", [0, 255, None])
@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1), (5, 6)])
def test_a_plane_full_of_bead_is_one_bead(seed, shape):
    probability = np.full(shape, 255, dtype=np.uint8)
    seeds = None if seed is None else np.full(shape, seed, dtype=np.uint8)
    assert (instances.find_beads(probability, seeds, **FULL).labels == 1).all()


def test_single_pixels_are_beads_and_corners_connect():
    probability = np.zeros((6, 6), dtype=np.uint8)
    probability[[0, 1, 4, 5], [5, 4, 1, 3]] = 255
    found = instances.find_beads(probability, np.zeros_like(probability), **FULL).labels
    assert found[[0, 1, 4, 5], [5, 4, 1, 3]].tolist() == [1, 1, 2, 3]
    larger = instances.find_beads(
        probability, np.zeros_like(probability), **{**FULL, "min_area_px": 2}
    ).labels
    assert larger[[0, 1, 4, 5], [5, 4, 1, 3]].tolist() == [1, 1, 0, 0]


def test_a_slanting_one_pixel_ridge_is_one_peak():
    probability = np.full((8, 8), 200, dtype=np.uint8)
    seed = np.where(np.eye(8, dtype=bool), 255, 40).astype(np.uint8)
    assert instances.find_beads(probability, seed, **FULL).labels.max() == 1


def test_a_component_without_a_peak_is_a_bead_beside_one_with_two():
    probability = np.zeros((5, 20), dtype=np.uint8)
    probability[1:4, 1:4] = probability[1:4, 6:19] = 255
    seed = np.zeros_like(probability)
    seed[2, [7, 17]] = 255
    found = instances.find_beads(probability, seed, **FULL).labels
    assert found.max() == 3
    assert found[2, [2, 7, 17]].tolist() == [1, 2, 3]


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
    probability, seed = noisy_scene(random)
    covered = None
    for threshold in sorted(levels):
        everything = instances.find_beads(probability, seed, **{**FULL, "threshold": threshold}).labels
        on = probability >= round(255 * threshold)
        assert covered is None or not (on & ~covered).any()
        covered = everything > 0
        assert covered[on].all()
        options = {"threshold": threshold, "marker_threshold": 0.5, "min_area_px": min_area_px}
        kept = instances.find_beads(probability, seed, **options).labels
        areas = np.bincount(everything.ravel())
        wanted = areas >= min_area_px
        wanted[0] = False
        assert same_partition(kept, np.where(wanted[everything], everything, 0))


@settings(max_examples=30, deadline=None)
@given(random=st.integers(0, 2**32), with_seed=st.booleans())
def test_labels_are_numbered_by_their_first_pixel(random, with_seed):
    probability, seed = noisy_scene(random)
    found = instances.find_beads(
        probability, seed if with_seed else None, **{**FULL, "min_area_px": 8}
    ).labels
    values, first = np.unique(found, return_index=True)
    assert values.tolist() == list(range(len(values)))
    assert (np.diff(first[1:]) > 0).all()


def ring(outer: float, inner: float) -> NDArray[np.bool_]:
    y, x = np.mgrid[:41, :41]
    distance = np.hypot(y - 20, x - 20)
    return (distance <= outer) & (distance >= inner)


def test_rings_are_filled_up_to_their_own_area():
    y, x = np.mgrid[:41, :41]
    seed = np.zeros((41, 41), dtype=np.uint8)
    found = instances.find_beads(probability_of(ring(15, 8)), seed, **FULL).labels
    assert (found == (np.hypot(y - 20, x - 20) <= 15)).all()
    wide = ring(15, 13)
    assert (instances.find_beads(probability_of(wide), seed, **FULL).labels == wide).all()
    filled = {**FULL, "min_area_px": int(ring(15, 8).sum()) + 1}
    assert instances.find_beads(probability_of(ring(15, 8)), seed, **filled).labels.max() == 1


def test_a_hole_with_another_bead_or_with_two_owners_stays():
    inhabited = ring(15, 8)
    inhabited[20, 20] = True
    seed = np.zeros((41, 41), dtype=np.uint8)
    assert not instances.find_beads(probability_of(inhabited), seed, **FULL).labels[20, 17]
    seed[20, [7, 33]] = 255
    halves = instances.find_beads(probability_of(ring(15, 8)), seed, **FULL).labels
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


@pytest.mark.parametrize(
    ("probability", "seed"),
    [
        (np.zeros((4, 4)), None),
        (np.zeros((4, 4, 1), np.uint8), None),
        (np.zeros((4, 4), np.uint8), np.zeros((4, 5), np.uint8)),
        (np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.float32)),
    ],
)
def test_wrong_maps_are_refused(probability, seed):
    with pytest.raises(ValueError, match="map is"):
        instances.find_beads(probability, seed, **FULL)


@pytest.mark.parametrize("use_size_prior", [True, False])
def test_beads_of_little_confidence_are_dropped(use_size_prior):
    """What is compared is what `beads.measure` tells of each bead."""
    probability, seed = noisy_scene(4)
    numbers = {"threshold": 0.5, "marker_threshold": 0.5, "min_area_px": 1, "use_size_prior": use_size_prior}
    every = instances.find_beads(probability, seed, **numbers).labels
    told = measure(every, None, probability, seed)
    level = float(np.median(told.confidence))
    found = instances.find_beads(probability, seed, min_confidence=level, **numbers).labels
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
    probability, seed = np.zeros((40, 120)), np.zeros((40, 120))
    doubtful = 0.5**0.5
    beads = [(15, 8, 1.0), (32, 8, doubtful), (70, 8, doubtful), (100, 8, 1.0), (111, 3, doubtful)]
    for left, radius_px, belief in beads:
        away = np.hypot(y - 20, x - left)
        probability = np.maximum(probability, belief * (away <= radius_px))
        seed = np.maximum(seed, belief * np.clip(1 - away / (radius_px + 1), 0, 1) * (away <= radius_px))
    probability[18:23, 23], probability[20, 108] = 0.6, 0.6  # the bridges
    maps = [np.rint(255 * plane).astype(np.uint8) for plane in (probability, seed)]
    found = instances.find_beads(
        *maps, threshold=0.5, marker_threshold=0.3, min_area_px=1, min_confidence=0.6, join_by=0.05
    ).labels
    assert [int(found[20, left] > 0) for left, *_ in beads] == [1, 1, 0, 1, 0]


@pytest.mark.parametrize(("radius_px", "beads"), [(3, 2), (5, 2), (25, 1)])
def test_a_large_bead_needs_a_deeper_pass_than_a_small_one(radius_px, beads):
    """The same two peaks with a pass of 0.15 between them, at three sizes."""
    side = 5 * radius_px
    y, x = np.mgrid[:side, : 2 * side]
    left, right = (np.hypot(y - side / 2, x - side + sign * radius_px) for sign in (1, -1))
    near = np.minimum(left, right) / radius_px
    probability = np.where(near <= 1.2, 250, 0).astype(np.uint8)
    across = np.abs(x - side) / radius_px
    seed = np.where(near <= 1.2, 0.95 - 0.15 * np.clip(1 - across, 0, 1) - 0.1 * near, 0)
    found = instances.find_beads(
        probability, (255 * seed).astype(np.uint8), threshold=0.5, marker_threshold=0.5, min_area_px=1
    ).labels
    assert found.max() == beads
