"""The losses a network can be trained with: one small file each, one line here each.

Every member's file has ``build(parameters) -> function`` where the function takes the foreground
logits (N, 1, H, W) and the 0/1 target of the same shape and returns one loss per sample, shape (N,).
One value per sample, not one per batch, is what lets a batch be split into micro-batches without
changing its gradient. Nothing here imports torch until a loss is loaded, so the command line, the
settings and the documentation may list the family for free.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from torch import Tensor

    LossFunction = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class LossParameters:
    """The numbers that the losses of the family may be tuned with; each reads those it knows.

    Attributes
    ----------
    dice_weight, focal_weight : float
        Shares of the two terms of the combined loss.
    focal_alpha : float
        Weight of bead pixels in the focal loss, 0 to 1; background pixels weigh ``1 - focal_alpha``.
    focal_gamma : float
        How strongly the focal loss turns away from pixels that are already right; 0 is cross-entropy.
    """

    dice_weight: float = 0.7
    focal_weight: float = 0.3
    focal_alpha: float = 0.25
    focal_gamma: float = 2.0


class Loss(StrEnum):
    """A loss by its name on the command line."""

    DICE = "dice"
    FOCAL = "focal"
    COMBINED = "combined"

    def load(self) -> Callable[[LossParameters], LossFunction]:
        """Import the member's file and return its ``build``."""
        module = import_module(f"beadctl.losses.{self.value}")
        return cast("Callable[[LossParameters], LossFunction]", module.build)
