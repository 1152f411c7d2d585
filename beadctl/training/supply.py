"""The micro-batches of a run, on the device that trains."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from beadctl.training import device
from beadctl.training.augment import AUGMENTATIONS
from beadctl.training.batch_views import batch_views
from beadctl.training.dataset import Batches, SceneSource, Views, load
from beadctl.training.plan import TrainingPlan
from beadctl.training.whole_tiles import WholeTiles, together

# The stream of random views on a GPU, another one than those of `dataset.Shuffled` and `dataset.Simulated`.
STREAM = 3


class Supply:
    """The micro-batches of a run, epoch by epoch, prepared ahead.

    A GPU makes the random views of whole tiles; those of a micro-batch are a function of the seed and of the
    key of its first sample. Else processes make them, each sample by its own key.

    Parameters
    ----------
    plan, source, batches : TrainingPlan, SceneSource and Batches
        What is drawn, from what, and in which micro-batches.
    target : torch.device
        Where they are wanted.
    workers : int
        Processes that prepare; with 0, this one does.
    """

    def __init__(
        self, plan: TrainingPlan, source: SceneSource, batches: Batches, target: torch.device, workers: int
    ) -> None:
        self.plan, self.batches, self.device, self.input = plan, batches, target, source.input
        self.augmentation = AUGMENTATIONS[source.input] if plan.augment else None
        self.views = Views(source, plan.size, plan.seed, self.augmentation)
        self.whole = bool(self.augmentation) and device.makes_views(target)
        self.loader: DataLoader[Any] = load(
            WholeTiles(source, plan.size, plan.seed) if self.whole else self.views,
            batches,
            workers=workers,
            pin_memory=target.type == "cuda",
            collate=together if self.whole else None,
        )
        self.ahead: Iterator[tuple[Tensor, Tensor]] | None = None

    def opening(self, samples: int) -> Iterator[Tensor]:
        """Yield the channels (N, C, S, S) of the first samples, on the CPU."""
        for keys in Batches(samples, self.plan.batch_size):
            yield torch.stack([self.views[key][0] for key in keys])

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Return this process's micro-batches of an epoch, which workers begin to prepare.

        Each is channels (N, C, S, S), channels last, and targets (N, 4, S, S), or (N, 3, S, S) where every
        pixel counts, float32.
        """
        if self.ahead is None or self.batches.epoch != number:
            self.batches.epoch = number
            prepared = iter(self.loader)
            self.ahead = self._views(prepared) if self.whole else self._moved(prepared)
        return self.ahead

    def _moved(self, prepared: Iterator[Any]) -> Iterator[tuple[Tensor, Tensor]]:
        for images, wanted in prepared:
            # Without padding the losses need not ask which pixels count.
            counted = wanted if wanted[:, 3].min() < 1 else wanted[:, :3]
            yield (
                images.to(self.device, non_blocking=True, memory_format=torch.channels_last),
                counted.to(self.device, non_blocking=True),
            )

    def _views(self, prepared: Iterator[Any]) -> Iterator[tuple[Tensor, Tensor]]:
        assert self.augmentation is not None
        rng = torch.Generator(self.device)
        for key, tiles in prepared:
            words = np.random.SeedSequence([self.plan.seed, *key, STREAM]).generate_state(1)
            rng.manual_seed(int(words[0]))
            images, wanted = batch_views(
                tiles.to(self.device), self.plan.size, rng, self.augmentation, self.input
            )
            yield images.contiguous(memory_format=torch.channels_last), wanted
