"""Which runs a comparison consists of, in which order, and which of them are whose."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from beadctl.losses import Loss
from beadctl.study.outcome import Arm
from beadctl.weighting import WeightingName


@dataclass(frozen=True)
class Run:
    """An arm with a seed."""

    arm: Arm
    seed: int

    @property
    def folder(self) -> str:
        """Name of its folder.

        It tells every factor, also those in which the arms do not differ, so that a comparison may grow by
        another learning rate without its finished runs changing their names.
        """
        arm = self.arm
        factors = f"{arm.loss}-{arm.weighting}-lr{arm.lr:g}-batch{arm.batch_size}-dropout{arm.dropout:g}"
        return f"{factors}-seed{self.seed}"


def runs(
    losses: Sequence[Loss],
    seeds: Sequence[int],
    *,
    weightings: Sequence[WeightingName],
    lrs: Sequence[float],
    batch_sizes: Sequence[int],
    dropouts: Sequence[float],
) -> list[Run]:
    """Return every combination, one seed of all arms before the next seed.

    A comparison that is cut short has then run as many seeds of each arm, give or take one. A ramp between
    weights needs a loss of several terms; with the others it would be the fixed weighting again, and is left
    out.
    """
    arms = [
        Arm(loss.value, weighting.value, lr, batch_size, dropout)
        for loss, weighting, lr, batch_size, dropout in product(
            losses, weightings, lrs, batch_sizes, dropouts
        )
        if weighting is not WeightingName.RAMP or len(loss.weights) > 1
    ]
    return [Run(arm, seed) for seed in seeds for arm in arms]


def shard(whole: Sequence[Run], part: int, parts: int) -> list[Run]:
    """Return the runs of one task of a job array: `part`, from 1, of `parts`.

    Every `parts`-th run, not a block of them, so that each task has its share of slow and fast arms.
    """
    return list(whole[part - 1 :: parts])
