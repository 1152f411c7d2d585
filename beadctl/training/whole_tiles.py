"""Whole tiles, of which the GPU makes the views: processes only decode or render, and normalise."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from beadctl.images import InMemory, Mirrored
from beadctl.segmentation.gaps import gaps_of
from beadctl.training.batch_views import TileBatch
from beadctl.training.dataset import Key, SceneSource

Tile = tuple[NDArray[np.float32], NDArray[Any]]
Whole = tuple[Key, NDArray[np.float32], NDArray[Any]]

# A view that is shrunk and turned most is cut from less than this multiple of its edge.
REACH = 2


class WholeTiles(Dataset[Whole]):
    """Samples of a source by (epoch, index): their key, image float32 (H, W) and labels (H, W).

    Pixels of NaN and infinity are those of a mirror, NaN far from others; labels are as in `TileBatch`. Of a
    tile that is much larger than a view, a part is taken, at random.

    Parameters
    ----------
    source : SceneSource
        Where images come from.
    size, seed : int
        Edge of a view, px; and seed of everything random.
    """

    def __init__(self, source: SceneSource, size: int, seed: int) -> None:
        self.source, self.size, self.seed = source, size, seed

    def __getitem__(self, key: Key) -> Whole:
        """Return a sample."""
        epoch, index = key
        image, labels = self.source.scene(self.seed, epoch, index)
        rng, most = np.random.default_rng([self.seed, epoch, index]), REACH * self.size
        part = tuple(_part(length, most, rng) for length in image.shape)
        image, labels = image[part], labels[part]
        labels = np.maximum(labels, 0)
        if labels.max(initial=0) > labels.size:
            # Targets have a place for each number up to the largest.
            labels = np.unique(labels, return_inverse=True)[1].reshape(labels.shape) + (labels.min() > 0)
        # Half of what travels.
        if labels.max(initial=0) <= np.iinfo(np.int16).max:
            labels = labels.astype(np.int16)
        gaps = gaps_of(image)
        if gaps is not None:
            labels = np.where(gaps, ~labels, labels)
        return key, Mirrored(InMemory(image)).read_all(), labels


def _part(length: int, most: int, rng: np.random.Generator) -> slice:
    """Return a random part of so many pixels at most."""
    start = int(rng.integers(max(0, length - most) + 1))
    return slice(start, start + most)


def tile_batch(tiles: Sequence[Tile]) -> TileBatch:
    """Put tiles of any sizes together: smaller ones are mirrored to the largest height and width."""
    sizes = np.array([image.shape for image, _ in tiles])
    margins = [[(0, missing) for missing in sizes.max(0) - size] for size in sizes]
    images, labels = (
        np.stack([np.pad(plane, margin, "reflect") for plane, margin in zip(planes, margins, strict=True)])
        for planes in zip(*tiles, strict=True)
    )
    areas = np.concatenate((np.zeros_like(sizes), sizes), 1)
    return TileBatch(*map(torch.from_numpy, (images, labels, areas)))


def together(wholes: Sequence[Whole]) -> tuple[Key, TileBatch]:
    """Return the key of the first sample, and all tiles; for `DataLoader`."""
    return wholes[0][0], tile_batch([(image, labels) for _, image, labels in wholes])
