"""Dice plus focal: Dice fits the overlap, focal keeps a gradient on every single pixel."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from beadctl.losses import LossParameters
from beadctl.losses.dice import dice
from beadctl.losses.focal import focal


def build(parameters: LossParameters) -> Callable[[Tensor, Tensor], Tensor]:
    """Return ``dice_weight * dice + focal_weight * focal``, one value per sample."""

    def combined(logits: Tensor, target: Tensor) -> Tensor:
        overlap = dice(logits, target)
        pixels = focal(logits, target, alpha=parameters.focal_alpha, gamma=parameters.focal_gamma)
        return parameters.dice_weight * overlap + parameters.focal_weight * pixels

    return combined
