"""Views of many tiles at once are those of one tile after the other: channels, targets and geometry."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from beadctl.images import InputName
from beadctl.training.augment import AUGMENTATIONS, Augmentation
from beadctl.training.batch_targets import batch_targets
from beadctl.training.batch_views import (
    TileBatch,
    batch_views,
    blurred_by,
    channels,
    draw_places,
    looked_up,
    shaded,
)
from beadctl.training.shown import shown

SIZE_PX = 96
LOCAL = InputName.LOCAL
PLAIN = Augmentation(
    warp_probability=0,
    polarity_probability=0,
    contrast=(1, 1),
    gamma=(1, 1),
    offset=0,
    noise=0,
    blur_probability=0,
)
seeds = st.integers(0, 2**32 - 1)


def discs(seed, shape=(SIZE_PX, SIZE_PX), count=14):
    """Label image of discs, later ones in front."""
    rng = np.random.default_rng(seed)
    y, x = np.indices(shape)
    labels = np.zeros(shape, np.int32)
    for number in range(1, count + 1):
        cy, cx, r = rng.uniform(0, shape[0]), rng.uniform(0, shape[1]), rng.uniform(3, 13)
        labels[(y - cy) ** 2 + (x - cx) ** 2 <= r * r] = number
    return labels


def batch(seed, number=3):
    """Tiles of noise with discs, whole ones."""
    rng = np.random.default_rng(seed)
    labels = np.stack([discs(seed + one) for one in range(number)])
    images = rng.normal(0, 0.5, labels.shape) + (labels > 0)
    area = torch.tensor([[0, 0, SIZE_PX, SIZE_PX]]).repeat(number, 1)
    return TileBatch(torch.tensor(images).float(), torch.tensor(labels), area)


def drawn(seed):
    """A generator of this seed."""
    return torch.Generator().manual_seed(seed)


@settings(max_examples=15, deadline=None)
@given(
    seed=seeds,
    name=st.sampled_from(InputName),
    gain=st.floats(0.01, 40),
    size=st.sampled_from([6, 34, SIZE_PX]),
)
def test_channels_are_those_of_inference(seed, name, gain, size):
    image = batch(seed).images[:, :size, :size] * gain
    found = channels(image, name).numpy()
    for one, made in zip(image.numpy(), found, strict=True):
        assert np.abs(made - shown(one, name)).max() < 2e-4


@pytest.mark.parametrize("name", InputName)
def test_pixels_without_a_value_are_no_part_of_the_contrast(name):
    image = batch(5).images + 2
    image[0, :50], image[1] = torch.nan, torch.nan
    made, known = channels(image, name).numpy(), image.isfinite().numpy()
    expected = np.stack([shown(one, name) for one in image.numpy()])
    assert np.abs(made - expected)[np.broadcast_to(known[:, None], made.shape)].max() < 2e-4
    assert (made[np.broadcast_to(~known[:, None], made.shape)] == 0).all()


def test_a_pixel_whose_power_is_infinite_leaves_the_others():
    image = batch(5).images
    image[:, 50, 50] = 3e38
    made = channels(shaded(image, drawn(0), replace(PLAIN, gamma=(1.25, 1.25), blur_px=1.0)), LOCAL)
    assert made.isfinite().all()
    assert (made[:, :, 40:60, 40:60] == 0).flatten(1).float().mean(1).max() < 0.15


@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_views_without_resampling_keep_every_pixel_value(seed):
    count = SIZE_PX * SIZE_PX
    ramp = torch.arange(count).view(1, SIZE_PX, SIZE_PX)
    tiles = TileBatch(ramp.float(), ramp, torch.tensor([[0, 0, SIZE_PX, SIZE_PX]]))
    image, labels, inside = looked_up(tiles, draw_places(tiles.areas, 64, drawn(seed), PLAIN))
    assert inside.all()
    assert len(labels.unique()) == 64 * 64
    assert (image - labels).abs().max() < 0.05


def test_all_eight_orientations_are_drawn():
    ramp = torch.arange(SIZE_PX * SIZE_PX).view(1, SIZE_PX, SIZE_PX)
    tiles = TileBatch(ramp.float(), ramp, torch.tensor([[0, 0, SIZE_PX, SIZE_PX]]))
    rng, seen = drawn(1), set()
    for _ in range(80):
        labels = looked_up(tiles, draw_places(tiles.areas, 8, rng, PLAIN))[1][0]
        seen.add((int(labels[0, 1] - labels[0, 0]), int(labels[1, 0] - labels[0, 0])))
    steps = {(s * 1, t * SIZE_PX) for s in (-1, 1) for t in (-1, 1)}
    assert seen == steps | {(down, right) for right, down in steps}


@settings(max_examples=25, deadline=None)
@given(seed=seeds, size=st.sampled_from([32, 64, 120]))
def test_places_are_read_where_they_lie(seed, size):
    """On ramps, interpolation gives the coordinates; what lies beyond the area does not count."""
    down, right = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    area = torch.tensor([[10, 6, 70, 84]])
    places = draw_places(area, size, drawn(seed), replace(PLAIN, warp_probability=0.7))
    for axis, plane in enumerate((down, right)):
        tiles = TileBatch(plane[None], plane[None], area)
        image, labels, inside = looked_up(tiles, places)
        counts = inside.bool()
        assert (image - places[..., axis])[counts].abs().max() < 1e-3
        assert (labels - places[..., axis])[counts].abs().max() <= 0.501
        start, length = area[0, axis], area[0, axis + 2]
        assert places[..., axis][counts].min() > start - 0.5
        assert places[..., axis][counts].max() < start + length - 0.5
    if size == 32:
        # It fits, however it is shrunk and turned.
        assert inside.all()


def test_what_was_not_recorded_does_not_count():
    tiles = batch(4)
    full = looked_up(tiles, draw_places(tiles.areas, SIZE_PX, drawn(0), PLAIN))[1]
    tiles.labels[0, :50], tiles.labels[1] = ~tiles.labels[0, :50], -1
    image, labels, inside = looked_up(tiles, draw_places(tiles.areas, SIZE_PX, drawn(0), PLAIN))
    assert image.isfinite().all()
    assert labels.min() == 0
    # Where nothing was, all count, as a mean over none is NaN.
    assert inside.flatten(1).sum(1).tolist() == [(SIZE_PX - 50) * SIZE_PX, SIZE_PX**2, SIZE_PX**2]
    # Beads continue there, as in the annotations.
    assert torch.equal(labels[0], full[0])


@settings(max_examples=15, deadline=None)
@given(seed=seeds, sigma=st.floats(0.3, 1.0))
def test_blur_is_gaussian(seed, sigma):
    image = batch(seed).images
    found = blurred_by(image, torch.tensor([sigma, 0.0, sigma]).view(3, 1, 1), 1.0).numpy()
    # The window is wider than `gaussian_filter` would make it for a smaller blur.
    expected = ndimage.gaussian_filter(image[0].numpy(), sigma, mode="nearest", radius=3)
    assert np.abs(found[0] - expected).max() < 1e-4
    assert np.array_equal(found[1], image[1].numpy())


def test_intensities_change_as_stated():
    image = batch(5).images
    same = shaded(image, drawn(0), PLAIN)
    assert torch.allclose(same, image)
    assert torch.allclose(shaded(image, drawn(0), replace(PLAIN, polarity_probability=1.0)), -image)
    doubled = shaded(image, drawn(0), replace(PLAIN, contrast=(2, 2)))
    assert torch.allclose(doubled, 2 * image)
    squared = shaded(image, drawn(0), replace(PLAIN, gamma=(2, 2)))
    assert torch.allclose(squared, image.abs() * image)
    shifts = shaded(image, drawn(0), replace(PLAIN, offset=0.5)) - image
    assert shifts.flatten(1).std(1).max() < 1e-6
    assert 0 < shifts.abs().max() <= 0.5
    noise = (shaded(image, drawn(0), replace(PLAIN, noise=0.5)) - image).flatten(1).std(1)
    assert (noise <= 0.51).all()
    assert noise.max() > 0.05


def test_the_same_generator_gives_the_same_views():
    tiles, rules = batch(3), AUGMENTATIONS[LOCAL]
    first, again = (batch_views(tiles, 64, drawn(7), rules, LOCAL) for _ in range(2))
    assert first[0].shape == (3, 3, 64, 64)
    assert first[1].shape == (3, 4, 64, 64)
    for one, other in zip(first, again, strict=True):
        assert torch.equal(one, other)
        assert one.isfinite().all()


def test_tiles_are_taken_by_number():
    tiles = batch(9)
    chosen = tiles.of(torch.tensor([2, 0]))
    assert torch.equal(chosen.labels, tiles.labels[[2, 0]])
    assert torch.equal(chosen.images, tiles.images[[2, 0]])
    assert len(chosen.areas) == 2


@pytest.mark.gpu
def test_a_gpu_makes_the_same_views_of_the_same_places():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    tiles = batch(11)
    places = draw_places(tiles.areas, 64, drawn(3), replace(PLAIN, warp_probability=0.5))
    for device in ("cpu", "cuda"):
        image, labels, inside = looked_up(tiles.to(torch.device(device)), places.to(device))
        made = channels(image, LOCAL).cpu(), batch_targets(labels, inside).cpu()
        if device == "cpu":
            expected = made
    assert (made[0] - expected[0]).abs().max() < 1e-3
    # A label lies between two pixels where rounding decides.
    assert ((made[1] - expected[1]).abs() > 1e-3).float().mean() < 1e-3
