"""Sources of training samples: a folder of tiles, or the simulator.

Sample i of epoch e is a function of (seed, e, i), whatever the number of processes that prepare samples and
whatever was drawn before. So a resumed run sees the pixels that it would have seen without a stop.
"""

import atexit
import multiprocessing
import os
import signal
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from beadctl.console.stopping import SIGNALS
from beadctl.dataset.manifest import fingerprint, read_manifest
from beadctl.errors import TrainingError
from beadctl.images import InputName, levels_of
from beadctl.segmentation.gaps import gaps_of
from beadctl.simulate import render
from beadctl.training.augment import Augmentation, augmented, crop
from beadctl.training.plan import TrainingPlan
from beadctl.training.shown import INPUT, input_of, shown
from beadctl.training.targets import contacts, targets
from beadctl.training.tiles import Tiles
from beadctl.training.world import ALONE, World

Floats = NDArray[np.float32]
Labels = NDArray[Any]
Key = tuple[int, int]

# Edge of a simulated scene over that of the sample: rotation and shrinking then seldom mirror the border.
SCENE_MARGIN = 1.25

# Seed of the simulated validation scenes: the same for every run, from a stream that is not trained on.
VALIDATION_STREAM = 0x5EED_BEAD


class SceneSource(Protocol):
    """An endless supply of images with labels, normalised for an input."""

    @property
    def input(self) -> InputName:
        """The input of the network."""

    def __len__(self) -> int:
        """Return the number of samples in one epoch."""

    def scene(self, seed: int, epoch: int, index: int) -> tuple[Floats, Labels]:
        """Return sample `index` of `epoch`: normalised image float32 (H, W) and labels (H, W)."""

    def name(self, seed: int, epoch: int, index: int) -> str:
        """Return the name of that sample for messages."""


@dataclass(frozen=True)
class Shuffled:
    """The tiles of one split in a new order every epoch, as often as asked for."""

    tiles: Tiles

    @property
    def input(self) -> InputName:
        """The input that the tiles are normalised for."""
        return self.tiles.input

    def __len__(self) -> int:
        """Return the number of tiles."""
        return len(self.tiles)

    def scene(self, seed: int, epoch: int, index: int) -> tuple[Floats, Labels]:
        """Return a tile; no tile is repeated before all were returned."""
        image, labels = self.tiles[self._place(seed, epoch, index)]
        return image, labels

    def name(self, seed: int, epoch: int, index: int) -> str:
        """Return the name of the tile's file."""
        return self.tiles.rows[self._place(seed, epoch, index)].image.name

    def _place(self, seed: int, epoch: int, index: int) -> int:
        again, place = divmod(index, len(self.tiles))
        # The trailing 1 makes this stream another one than that of `Views`.
        order = np.random.default_rng([seed, epoch, again, 1]).permutation(len(self.tiles))
        return int(order[place])


@dataclass(frozen=True)
class Simulated:
    """A new simulated scene for every sample: `scenes` an epoch, larger than the `size` px cut from them."""

    scenes: int
    size: int
    input: InputName = INPUT

    def __len__(self) -> int:
        """Return the scenes in one epoch."""
        return self.scenes

    def scene(self, seed: int, epoch: int, index: int) -> tuple[Floats, Labels]:
        """Render a scene and normalise it as a whole."""
        rng = np.random.default_rng([seed, epoch, index, 2])
        return _rendered(rng, round(self.size * SCENE_MARGIN), self.input)

    def name(self, seed: int, epoch: int, index: int) -> str:
        """Return the numbers that the scene is rendered from."""
        return f"scene ({seed}, {epoch}, {index})"


@dataclass(frozen=True)
class TrainingData:
    """What a run learns from and is validated on.

    Attributes
    ----------
    source, validation : SceneSource and sequence
        Training samples; and normalised images float32 (H, W) with their labels (H, W).
    fingerprint : str
        Of the tiles; ``simulated`` without tiles.
    """

    source: SceneSource
    validation: Sequence[tuple[Floats, Labels]]
    fingerprint: str

    @cached_property
    def median_diameter(self) -> float | None:
        """Median over the validation beads of the diameter of the disc with the same area, px."""
        areas = [np.unique(labels[labels > 0], return_counts=True)[1] for _, labels in self.validation]
        together = np.concatenate(areas)
        return float(np.median(np.sqrt(4 * together / np.pi))) if together.size else None


def training_data(plan: TrainingPlan, tiles: Path | None) -> TrainingData:
    """Open the data of a run: the folder that ``beadctl tile`` wrote, or scenes for a plan that simulates.

    Raises
    ------
    TrainingError, AnnotationError
        If there are no tiles, or they cannot be used.
    """
    name = input_of(plan.inputs)
    if plan.simulate:
        scenes = held_out(plan.validation_scenes, plan.size, name)
        return TrainingData(Simulated(plan.simulate, plan.size, name), scenes, "simulated")
    if tiles is None:
        raise TrainingError("nothing to train on: give a folder of tiles, or --simulate N")
    rows = read_manifest(tiles)
    source, validation = Shuffled(Tiles(rows, "train", tiles, name)), Tiles(rows, "val", tiles, name)
    return TrainingData(source, validation, fingerprint(tiles))


def held_out(count: int, size: int, name: InputName = INPUT) -> list[tuple[Floats, Labels]]:
    """Render the simulated validation scenes: `count` of (`size`, `size`) px, always the same ones."""
    streams = (np.random.default_rng([VALIDATION_STREAM, index]) for index in range(count))
    return [_rendered(rng, size, name) for rng in streams]


def _rendered(rng: np.random.Generator, size: int, name: InputName) -> tuple[Floats, Labels]:
    scene = render(rng, size)
    scaled = name.normalisation(levels_of(scene.image, name.surround)).scaled(scene.image)
    return scaled, scene.labels.astype(np.int32)


class Views(Dataset[tuple[Tensor, Tensor]]):
    """Samples as the network takes them, by (epoch, index).

    Parameters
    ----------
    source : SceneSource
        Where images come from.
    size, seed : int
        Edge of a sample, px; and seed of everything random.
    augmentation : Augmentation or None
        None cuts a random square and changes nothing else.
    """

    def __init__(self, source: SceneSource, size: int, seed: int, augmentation: Augmentation | None) -> None:
        self.source, self.size, self.seed, self.augmentation = source, size, seed, augmentation

    def __getitem__(self, key: Key) -> tuple[Tensor, Tensor]:
        """Channels float32 (C, S, S) and targets float32 (4, S, S): foreground, marker, contacts, inside.

        Pixels that are not inside are mirrored, also in gaps: they have targets, but do not count.
        """
        epoch, index = key
        image, labels = self.source.scene(self.seed, epoch, index)
        rng = np.random.default_rng([self.seed, epoch, index])
        if self.augmentation is None:
            image, labels, inside = crop(image, labels, self.size, rng)
        else:
            image, labels, inside = augmented(image, labels, self.size, rng, self.augmentation)
        gaps = gaps_of(image)
        # The mean over no pixel is NaN.
        if gaps is not None and (seen := inside & ~gaps).any():
            inside = seen
        # After augmentation: the marker's distances are those of the pixels that the network sees.
        wanted = np.stack((*targets(labels), contacts(labels), inside), dtype=np.float32)
        return torch.from_numpy(shown(image, self.source.input)), torch.from_numpy(wanted)


class Batches(Sampler[list[Key]]):
    """The keys of one epoch in micro-batches, those of one process; set `epoch` before each pass.

    Micro-batches are dealt out to the processes in turn. Keys contain the epoch, because persistent workers
    keep their own copy of this object.
    """

    def __init__(self, samples: int, batch_size: int, world: World = ALONE) -> None:
        self.samples, self.batch_size, self.epoch = samples, batch_size, 0
        self.starts = world.own(range(0, samples, batch_size))

    def __len__(self) -> int:
        """Return the number of this process's micro-batches in one epoch."""
        return len(self.starts)

    def among(self, first: int, stop: int) -> int:
        """Return how many of this process's micro-batches begin among these samples of an epoch."""
        return bisect_left(self.starts, stop) - bisect_left(self.starts, first)

    def __iter__(self) -> Iterator[list[Key]]:
        """Yield lists of (epoch, index); the last one of the epoch may be shorter."""
        for start in self.starts:
            stop = min(start + self.batch_size, self.samples)
            yield [(self.epoch, index) for index in range(start, stop)]


def load(
    samples: Dataset[Any],
    batches: Batches,
    *,
    workers: int,
    pin_memory: bool,
    collate: Callable[[list[Any]], Any] | None = None,
) -> DataLoader[Any]:
    """Prepare micro-batches ahead in `workers` processes, or in this one when that is 0.

    Of `Views`, the loader yields images float32 (N, C, S, S) and targets float32 (N, 4, S, S); else what
    `collate` makes of the samples of a micro-batch.
    """
    return DataLoader(
        samples,
        batch_sampler=batches,
        num_workers=workers,
        persistent_workers=workers > 0,
        prefetch_factor=4 if workers else None,
        pin_memory=pin_memory,
        collate_fn=collate,
        worker_init_fn=_start_worker if workers else None,
        # A generator of its own: the loader must not draw from the stream that a resumed run restores.
        generator=torch.Generator().manual_seed(0),
    )


def _end_workers() -> None:
    """End the workers that are left when this process ends: it waits for them, and they ignore SIGTERM."""
    # The handler of torch would report each worker that is killed as an error, with a traceback.
    if hasattr(signal, "SIGCHLD"):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for worker in multiprocessing.active_children():
        worker.kill()


# After multiprocessing has registered its own, which torch imports: the last registered is called first.
atexit.register(_end_workers)


def _start_worker(_: int) -> None:
    # One thread each: the network's threads already use every core.
    torch.set_num_threads(1)
    # The network's threads wait for one another, so one that shares its core delays all. At low priority a
    # worker runs in the gaps.
    if hasattr(os, "nice"):
        os.nice(19)
    # Ctrl-C and the signals of a scheduler reach the whole process group. Only the parent reacts: it ends the
    # workers through their queue, and workers without a parent end by themselves.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
