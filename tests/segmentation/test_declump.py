import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from beadctl.model.session import Maps
from beadctl.segmentation import declump
from beadctl.segmentation.measure import measure
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.plane import label_plane
from beadctl.segmentation.prediction import PredictedPlane, find_beads

EIGHT = np.ones((3, 3), bool)
SIDE = 260
LONE = [(30 + 40 * (n // 3), 30 + 40 * (n % 3)) for n in range(12)]
RECIPE = SegmentOptions(0.5, 0.3, 1)


def light(discs: list[tuple[float, float, float]]) -> NDArray[np.float64]:
    """Sum of (y, x, radius) discs with a soft edge, each of height 1."""
    y, x = np.mgrid[:SIDE, :SIDE]
    return sum(1 / (1 + np.exp(2 * (np.hypot(y - a, x - b) - r))) for a, b, r in discs)


def plane(
    patch: list[tuple[float, float, float]], dark: bool, lone_radii: NDArray[np.float64] | None = None
) -> tuple[Maps, NDArray[np.uint16]]:
    """Twelve lone beads and a patch of others; the network sees each component as one flat bead."""
    radii = np.full(12, 5.0) if lone_radii is None else lone_radii
    total = light([(a, b, r) for (a, b), r in zip(LONE, radii, strict=True)] + patch)
    found = total > 0.5
    image = 30_000 * np.exp(-0.6 * total) if dark else 2_000 + 9_000 * total
    maps = Maps(np.where(found, 250, 0).astype(np.uint8), np.where(found, 240, 0).astype(np.uint8))
    return maps, image.astype(np.uint16)


def beads_in_patch(maps: Maps, image: NDArray[np.uint16] | None) -> int:
    """Count by the maps and the image, or by the maps alone."""
    if image is None:
        labels = find_beads(maps, RECIPE).labels
    else:
        labels = label_plane(PredictedPlane(maps), image, RECIPE).labels
    return len(np.unique(labels[:, 140:])) - 1


@pytest.mark.parametrize("dark", [True, False])
@pytest.mark.parametrize("spacing", [4.5, 5.2, 6.0])
@pytest.mark.parametrize("count", [2, 3, 5])
def test_a_row_of_equal_beads_is_counted_by_its_weight(count, spacing, dark):
    maps, image = plane([(100, 180 + spacing * n, 5.0) for n in range(count)], dark)
    assert beads_in_patch(maps, image) == count
    assert beads_in_patch(maps, None) == 1


@pytest.mark.parametrize("dark", [True, False])
def test_bad_pixels_hide_no_bead_of_a_row(dark):
    """One of a hundred has no value, so there is one in and around nearly every bead."""
    maps, image = plane([(100, 180 + 5.2 * n, 5.0) for n in range(3)], dark)
    image = image.astype(np.float32)
    image[np.random.default_rng(4).random(image.shape) < 0.01] = np.nan
    assert beads_in_patch(maps, image) == 3


@pytest.mark.parametrize("dark", [True, False])
def test_a_heap_is_counted_by_its_weight(dark):
    heap = [(100 + 6 * np.sin(t), 190 + 6 * np.cos(t), 5.0) for t in np.arange(6) * np.pi / 3]
    maps, image = plane([*heap, (100, 190, 5.0), (112, 190, 5.0), (118, 190, 5.0)], dark)
    assert beads_in_patch(maps, image) in (8, 9, 10)


@pytest.mark.parametrize("dark", [True, False])
@pytest.mark.parametrize("radius", [7.0, 9.0])
def test_a_larger_round_bead_stays_one(radius, dark):
    maps, image = plane([(100, 190, radius)], dark)
    assert beads_in_patch(maps, image) == 1


@pytest.mark.parametrize("dark", [True, False])
def test_a_round_heap_is_darker_than_a_larger_bead_could_be(dark):
    """Four beads one upon another, as round as one."""
    maps, image = plane([(100 + a, 190 + b, 5.0) for a in (-2, 2) for b in (-2, 2)], dark)
    assert beads_in_patch(maps, image) in (3, 4)


def test_what_is_long_but_no_darker_stays_one():
    maps, image = plane([(100, 180, 5.0), (100, 188, 5.0)], dark=False)
    flat = np.where(image > 6_500, 11_000, 2_000).astype(np.uint16)
    single = light([(a, b, 5.0) for a, b in LONE]) > 0.5
    flat[single] = 11_000
    flat[(image > 6_500) & ~single] = 7_000
    assert beads_in_patch(maps, flat) == 1


def test_among_beads_of_many_sizes_nothing_is_divided():
    maps, image = plane([(100, 180, 5.0), (100, 186, 5.0)], dark=True, lone_radii=np.linspace(3.5, 8.5, 12))
    assert beads_in_patch(maps, image) == 1


def test_among_beads_of_many_weights_nothing_is_divided():
    maps, image = plane([(100, 180, 5.0), (100, 186, 5.0)], dark=False)
    uneven = image.astype(float) - 2_000
    for n, (a, b) in enumerate(LONE):
        uneven[a - 9 : a + 10, b - 9 : b + 10] *= 0.3 + 0.15 * n
    assert beads_in_patch(maps, image) == 2
    assert beads_in_patch(maps, (uneven + 2_000).astype(np.uint16)) == 1


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), beads=st.integers(2, 14), dark=st.booleans())
def test_parts_are_connected_and_make_up_what_was_there(seed, beads, dark):
    rng = np.random.default_rng(seed)
    patch, place = [], np.array([100.0, 190.0])
    for _ in range(beads):
        patch.append((*place, 5.0))
        angle = rng.uniform(0, 2 * np.pi)
        step = rng.uniform(4.5, 9.0) * np.array([np.sin(angle), np.cos(angle)])
        place = np.clip(place + step, (20, 160), (SIDE - 20, SIDE - 20))
    maps, image = plane(patch, dark)
    labels = find_beads(maps, RECIPE).labels
    table = measure(labels, image, maps.probability, maps.marker)
    parted, parts = declump.declumped(labels, image, table)
    assert np.array_equal(parted > 0, labels > 0)
    assert np.array_equal(parted, declump.declumped(labels, image, table)[0])
    assert sorted(parts) == np.unique(parted[(parted != labels) | np.isin(labels, parts)]).tolist()
    numbers = np.unique(parted)
    assert numbers.tolist() == list(range(len(numbers)))
    for number in numbers[1:]:
        part = parted == number
        assert ndimage.label(part, structure=EIGHT)[1] == 1
        assert len(np.unique(labels[part])) == 1


def test_the_parts_of_a_pile_are_told():
    maps, image = plane([(100, 180, 5.0), (100, 186, 5.0), (100, 192, 5.0)], dark=True)
    table = label_plane(PredictedPlane(maps), image, RECIPE).table
    flags = [one.split() for one in table.flags]
    assert ["declumped" in one for one in flags] == [x > 140 for x in table.x_px]
    assert all("clump" in one for one in flags if "declumped" in one)
    assert sum("declumped" in one for one in flags) == 3


@pytest.mark.parametrize("level", [0, 60_000])
def test_a_flat_image_divides_nothing(level):
    maps, image = plane([(100, 180, 5.0), (100, 186, 5.0)], dark=True)
    assert beads_in_patch(maps, np.full_like(image, level)) == 1
