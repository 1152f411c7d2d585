"""Whole tiles: finite, of one size in a batch, with labels that can be counted on the device."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from beadctl.images import InputName
from beadctl.training.augment import AUGMENTATIONS
from beadctl.training.whole_tiles import REACH, WholeTiles, tile_batch, together


@dataclass(frozen=True)
class One:
    """A source of one image."""

    image: np.ndarray
    labels: np.ndarray
    input = InputName.LOCAL

    def scene(self, seed, epoch, index):
        return self.image, self.labels


def whole(image, labels, size=200):
    return WholeTiles(One(image.astype(np.float32), labels), size, 0)[3, 1]


def test_a_tile_is_passed_on_as_it_is():
    image, labels = np.random.default_rng(0).normal(size=(20, 30)), np.eye(20, 30, dtype=np.int32) * 9
    key, found, named = whole(image, labels)
    assert key == (3, 1)
    assert np.array_equal(found, image.astype(np.float32))
    assert np.array_equal(named, labels)
    assert named.dtype == np.int16


def test_gaps_are_marked_and_bad_pixels_are_not():
    image, labels = np.random.default_rng(0).normal(size=(20, 30)), np.ones((20, 30), np.int32)
    image[:8], image[12, 5] = np.nan, np.inf
    _, found, named = whole(image, labels)
    assert np.isfinite(found).all()
    assert np.array_equal(found[8:12], image[8:12].astype(np.float32))
    assert (named[:8] == -2).all()
    assert (named[8:] == 1).all()


def test_negative_numbers_are_background():
    labels = np.zeros((20, 30), np.int32)
    labels[:2], labels[5, 5:7] = -1, 4
    assert np.array_equal(whole(np.zeros((20, 30)), labels)[2], np.maximum(labels, 0))
    labels[5, 5:7] = 30_000_000
    assert np.array_equal(whole(np.zeros((20, 30)), labels)[2], labels > 0)


def test_large_numbers_become_small_ones():
    labels = np.zeros((20, 30), np.int32)
    labels[2, 2], labels[5, 5:7] = 1_000_000, 30_000_000
    _, _, named = whole(np.zeros((20, 30)), labels)
    assert [int((named == number).sum()) for number in (0, 1, 2)] == [597, 1, 2]
    _, _, named = whole(np.zeros((20, 30)), np.full((20, 30), 30_000_000))
    assert (named == 1).all()


def test_many_labels_keep_their_numbers():
    labels = np.arange(40_000, dtype=np.int32).reshape(200, 200)
    _, _, named = whole(np.zeros(labels.shape), labels)
    assert np.array_equal(named, labels)
    image = np.zeros(labels.shape)
    image[190:] = np.nan
    _, _, named = whole(image, labels)
    assert np.array_equal(named[:190], labels[:190])
    assert np.array_equal(-1 - named[190:], labels[190:])


def test_of_a_large_tile_a_part_is_passed_on_that_holds_every_view():
    ramp = np.repeat(np.arange(90)[:, None], 30, axis=1)
    starts = set()
    for index in range(60):
        _, image, labels = WholeTiles(One(ramp.astype(np.float32), ramp), 20, 0)[0, index]
        assert image.shape == labels.shape == (40, 30)
        assert np.array_equal(image, labels)
        starts.add(int(image[0, 0]))
    assert min(starts) < 8
    assert max(starts) > 42
    for augmentation in AUGMENTATIONS.values():
        turn = math.radians(augmentation.turn_degrees)
        assert (math.cos(turn) + math.sin(turn)) / augmentation.scale[0] <= REACH


def test_smaller_tiles_are_mirrored_to_the_size_of_the_largest():
    rng = np.random.default_rng(1)
    tiles = [
        (rng.normal(size=shape).astype(np.float32), np.ones(shape, np.int16)) for shape in ((9, 30), (20, 12))
    ]
    tiles[1] = (tiles[1][0], tiles[1][1].astype(np.int32) * 40_000)
    batch = tile_batch(tiles)
    assert batch.images.shape == batch.labels.shape == (2, 20, 30)
    assert batch.areas.tolist() == [[0, 0, 9, 30], [0, 0, 20, 12]]
    for (image, _), made in zip(tiles, batch.images.numpy(), strict=True):
        height, width = image.shape
        assert np.array_equal(made[:height, :width], image)
    # A mirror without the border's own pixel, as often as needed.
    assert torch.equal(batch.images[0, 9:17], batch.images[0, :8].flip(0))
    assert torch.equal(batch.images[0, 17:], batch.images[0, 1:4])
    assert batch.labels[1].unique().tolist() == [40_000]


def test_a_batch_has_the_key_of_its_first_sample():
    tiles = [((2, number), np.zeros((4, 4), np.float32), np.zeros((4, 4), np.int16)) for number in (6, 7)]
    key, batch = together(tiles)
    assert key == (2, 6)
    assert len(batch.images) == 2
