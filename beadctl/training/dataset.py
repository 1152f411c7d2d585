"""Where training samples come from: a folder of tiles, or the simulator.

Sample i of epoch e depends on (seed, e, i) and on nothing else: not on how many processes prepare
samples, nor on what was drawn before. So a run that is stopped and resumed sees the very pixels it
would have seen.
"""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from beadctl.images import normalisation_of
from beadctl.simulate import render
from beadctl.training.augment import Augmentation, augmented, crop
from beadctl.training.targets import contacts, targets
from beadctl.training.tiles import Tiles

Floats = NDArray[np.float32]
Labels = NDArray[Any]
Key = tuple[int, int]

# A simulated scene is this much wider than the sample cut from it, so that turning and shrinking
# mostly find real surroundings and seldom a mirror image.
SCENE_MARGIN = 1.25

# Simulated validation scenes come from a stream that no training seed reaches, and are the same for
# every run, so that runs can be compared.
VALIDATION_STREAM = 0x5EED_BEAD


class SceneSource(Protocol):
    """An endless supply of normalised images with labels."""

    def __len__(self) -> int:
        """Return the number of samples in one epoch."""
        ...

    def scene(self, seed: int, epoch: int, index: int) -> tuple[Floats, Labels]:
        """Return sample `index` of `epoch`: normalised image float32 (H, W) and labels (H, W)."""
        ...

    def name(self, seed: int, epoch: int, index: int) -> str:
        """Return what a person would call that sample."""
        ...


@dataclass(frozen=True)
class Shuffled:
    """The tiles of one split in a new order every epoch, as often as asked for."""

    tiles: Tiles

    def __len__(self) -> int:
        """Return the number of tiles."""
        return len(self.tiles)

    def scene(self, seed: int, epoch: int, index: int) -> tuple[Floats, Labels]:
        """Return a tile; every tile is seen once before any is seen again."""
        image, labels = self.tiles[self._place(seed, epoch, index)]
        return image, labels

    def name(self, seed: int, epoch: int, index: int) -> str:
        """Return the name of the tile's file."""
        return self.tiles.rows[self._place(seed, epoch, index)].image.name

    def _place(self, seed: int, epoch: int, index: int) -> int:
        again, place = divmod(index, len(self.tiles))
        # The trailing 1 keeps this stream apart from the views', whose seeds end after the index.
        order = np.random.default_rng([seed, epoch, again, 1]).permutation(len(self.tiles))
        return int(order[place])


@dataclass(frozen=True)
class Simulated:
    """A scene that nobody has seen before, every time.

    Attributes
    ----------
    scenes : int
        Scenes in one epoch.
    size : int
        Edge of the samples that will be cut, px; scenes are somewhat larger.
    """

    scenes: int
    size: int

    def __len__(self) -> int:
        """Return the scenes in one epoch."""
        return self.scenes

    def scene(self, seed: int, epoch: int, index: int) -> tuple[Floats, Labels]:
        """Render a scene and normalise it as a whole."""
        rng = np.random.default_rng([seed, epoch, index, 2])
        return _rendered(rng, round(self.size * SCENE_MARGIN))

    def name(self, seed: int, epoch: int, index: int) -> str:
        """Return the numbers that the scene is rendered from."""
        return f"scene ({seed}, {epoch}, {index})"


def held_out(count: int, size: int) -> list[tuple[Floats, Labels]]:
    """Render the simulated validation scenes: `count` of (`size`, `size`) px, always the same ones."""
    streams = (np.random.default_rng([VALIDATION_STREAM, index]) for index in range(count))
    return [_rendered(rng, size) for rng in streams]


def _rendered(rng: np.random.Generator, size: int) -> tuple[Floats, Labels]:
    scene = render(rng, size)
    return normalisation_of(scene.image).apply(scene.image), scene.labels.astype(np.int32)


class Views(Dataset[tuple[Tensor, Tensor]]):
    """Samples as the network takes them, by (epoch, index).

    Parameters
    ----------
    source : SceneSource
        Where images come from.
    size : int
        Edge of a sample, px.
    seed : int
        Seed of everything random.
    augmentation : Augmentation or None
        None cuts a random square and changes nothing else.
    """

    def __init__(self, source: SceneSource, size: int, seed: int, augmentation: Augmentation | None) -> None:
        self.source, self.size, self.seed, self.augmentation = source, size, seed, augmentation

    def __getitem__(self, key: Key) -> tuple[Tensor, Tensor]:
        """Image float32 (1, S, S) and targets float32 (3, S, S): foreground, seed, contacts."""
        epoch, index = key
        image, labels = self.source.scene(self.seed, epoch, index)
        rng = np.random.default_rng([self.seed, epoch, index])
        if self.augmentation is None:
            image, labels = crop(image, labels, self.size, rng)
        else:
            image, labels = augmented(image, labels, self.size, rng, self.augmentation)
        # Targets are made last: distances must be measured in the pixels the network sees.
        wanted = np.stack((*targets(labels), contacts(labels).astype(np.float32)))
        return torch.from_numpy(np.array(image[None])), torch.from_numpy(wanted)


class Batches(Sampler[list[Key]]):
    """The keys of one epoch in micro-batches; set `epoch` before each pass.

    The epoch travels inside the keys, so workers that live through all epochs need not be told.
    """

    def __init__(self, samples: int, batch_size: int) -> None:
        self.samples, self.batch_size, self.epoch = samples, batch_size, 0

    def __len__(self) -> int:
        """Return the number of micro-batches in one epoch."""
        return math.ceil(self.samples / self.batch_size)

    def __iter__(self) -> Iterator[list[Key]]:
        """Yield lists of (epoch, index); the last one may be shorter."""
        for start in range(0, self.samples, self.batch_size):
            stop = min(start + self.batch_size, self.samples)
            yield [(self.epoch, index) for index in range(start, stop)]


def load(
    views: Views, batches: Batches, *, workers: int, pin_memory: bool
) -> DataLoader[tuple[Tensor, Tensor]]:
    """Prepare micro-batches ahead in `workers` processes, or in this one when that is 0.

    Returns
    -------
    DataLoader
        Yields images float32 (N, 1, S, S) and targets float32 (N, 3, S, S).
    """
    return DataLoader(
        views,
        batch_sampler=batches,
        num_workers=workers,
        persistent_workers=workers > 0,
        prefetch_factor=4 if workers else None,
        pin_memory=pin_memory,
        worker_init_fn=_start_worker if workers else None,
        # Its own generator: the loader must not draw from the stream that a resumed run restores.
        generator=torch.Generator().manual_seed(0),
    )


def _start_worker(_: int) -> None:
    # One thread each: workers run beside the network, which already uses every core it was given.
    torch.set_num_threads(1)
    # The network's threads wait for one another, so one that shares its core holds them all up. A polite
    # worker runs in the gaps instead.
    if hasattr(os, "nice"):
        os.nice(19)
    # Ctrl-C and a scheduler's SIGTERM reach the whole process group. The parent alone decides what they mean:
    # it ends the workers through their queue, and where it is gone they notice and end by themselves.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
