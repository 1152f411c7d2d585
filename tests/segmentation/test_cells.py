"""Cells: they cover a plane once, and beads are the same however a plane is cut into them."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from beadctl import scratch
from beadctl.segmentation import basins, cells, holes
from beadctl.segmentation.instances import find_beads


@given(height=st.integers(1, 70), width=st.integers(1, 70), edge=st.integers(1, 40), halo=st.integers(0, 20))
def test_cores_cover_a_plane_once_and_lie_in_their_windows(height, width, edge, halo):
    seen = np.zeros((height, width), int)
    numbers = np.arange(height * width).reshape(height, width)
    for cell in cells.cells(height, width, edge_px=edge, halo_px=halo):
        assert cell.window.is_inside(height, width)
        seen[cell.core.slices] += 1
        np.testing.assert_array_equal(numbers[cell.window.slices][cell.inner], numbers[cell.core.slices])
    assert (seen == 1).all()


def beads(random, shape):
    """Touching beads of up to 12 px with holes and ripple: probability and marker map."""
    rng = np.random.default_rng(random)
    y, x = np.indices(shape)
    probability, marker = (np.zeros(shape) for _ in range(2))
    for _ in range(int(rng.integers(1, 2 + shape[0] * shape[1] // 60))):
        radius = rng.uniform(1.5, 6)
        away = np.hypot(y - rng.uniform(0, shape[0]), x - rng.uniform(0, shape[1])) / radius
        hollow = rng.random() < 0.3
        probability = np.maximum(probability, (away < 1) & ~(hollow & (away < 0.4)))
        marker = np.maximum(marker, np.clip(1 - away, 0, 1) * rng.uniform(0.3, 1))
    ripple = ndimage.gaussian_filter(rng.normal(size=shape), 1.0) * rng.choice([0, 0.3])
    return (
        np.rint(255 * (0.1 + 0.8 * probability)).astype(np.uint8),
        np.rint(255 * np.clip(marker + ripple, 0, 1)).astype(np.uint8),
    )


@settings(max_examples=40, deadline=None)
@given(
    random=st.integers(0, 2**32),
    shape=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    edge=st.integers(5, 60),
    rows=st.integers(1, 30),
    with_marker=st.booleans(),
)
def test_beads_do_not_depend_on_cells_and_bands(random, shape, edge, rows, with_marker):
    """A clump may be of any width: only beads must be narrower than the halo."""
    probability, marker = beads(random, shape)
    find = partial(
        find_beads,
        probability,
        marker if with_marker else None,
        threshold=0.5,
        marker_threshold=0.15,
        min_area_px=3,
        min_confidence=0.3,
    )
    whole = find()
    with pytest.MonkeyPatch.context() as small:
        bands = scratch.bands
        small.setattr(basins, "EDGE_PX", edge)
        small.setattr(basins, "cells", partial(cells.cells, halo_px=40))
        small.setattr(scratch, "bands", lambda height, width: bands(height, width, px=rows * width))
        cut = find()
    np.testing.assert_array_equal(cut.labels, whole.labels)
    assert (cut.fewest, cut.most) == (whole.fewest, whole.most)


@settings(max_examples=40, deadline=None)
@given(random=st.integers(0, 2**32), edge=st.integers(6, 30))
def test_no_bead_is_lost_or_counted_twice_without_any_halo(random, edge):
    """Discs apart from each other, cut by cells as they come: what a cell sees of one is joined."""
    rng = np.random.default_rng(random)
    size, pitch = 80, 16
    y, x = np.indices((size, size))
    marker, truth = np.zeros((size, size)), np.zeros((size, size), np.uint32)
    for number, (row, column) in enumerate(np.ndindex(size // pitch, size // pitch), start=1):
        radius = rng.uniform(2.5, 6)
        away = np.hypot(y - (row + 0.5) * pitch - rng.uniform(-1, 1), x - (column + 0.5) * pitch) / radius
        marker = np.maximum(marker, np.clip(1 - away, 0, 1))
        truth[away < 1] = number
    probability = np.where(truth > 0, 230, 10).astype(np.uint8)
    with pytest.MonkeyPatch.context() as small:
        small.setattr(basins, "EDGE_PX", edge)
        small.setattr(basins, "cells", partial(cells.cells, halo_px=0))
        found = find_beads(
            probability,
            np.rint(255 * marker).astype(np.uint8),
            threshold=0.5,
            marker_threshold=0.15,
            min_area_px=1,
        ).labels
    pairs = np.unique(np.stack([found.ravel(), truth.ravel()]), axis=1)
    assert pairs.shape[1] == len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == truth.max() + 1


@settings(max_examples=40, deadline=None)
@given(random=st.integers(0, 2**32), rows=st.integers(1, 20))
def test_holes_are_those_that_one_instance_encloses(random, rows):
    rng = np.random.default_rng(random)
    labels = (ndimage.gaussian_filter(rng.normal(size=(50, 40)), 1.2) > 0.05).astype(np.uint32)
    labels, count = ndimage.label(labels, np.ones((3, 3)))
    area_px = np.bincount(labels.ravel(), minlength=count + 1)
    area_px[0] = 0
    expected = np.zeros_like(labels)
    background, pieces = ndimage.label(labels == 0)
    for piece in range(1, pieces + 1):
        inside = background == piece
        around = ndimage.binary_dilation(inside) & ~inside
        owners = set(labels[around].tolist())
        padded = np.pad(inside, 1)
        reaches_edge = padded[1].any() or padded[-2].any() or padded[:, 1].any() or padded[:, -2].any()
        if not reaches_edge and len(owners) == 1 and inside.sum() <= area_px[min(owners)]:
            expected[inside] = min(owners)
    marked = labels.astype(np.uint32)
    level = np.full(labels.shape, 7, np.uint8)
    with pytest.MonkeyPatch.context() as small:
        bands = scratch.bands
        small.setattr(scratch, "bands", lambda height, width: bands(height, width, px=rows * width))
        found = holes.holes_of(marked, np.arange(count + 1), area_px, level, level)
    of_number = np.concatenate((np.zeros(count + 1, int), found.owner))
    np.testing.assert_array_equal(of_number[marked], expected)
    owned = found.owner > 0
    assert (found.light[owned] == 7 * found.area_px[owned]).all()
    assert (found.height[owned] == 7).all()
    assert found.area_px[owned].sum() == (expected > 0).sum()
