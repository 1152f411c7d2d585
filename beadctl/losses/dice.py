"""Soft Dice loss: the overlap of the foreground, independent of the size of the background."""

import torch
from torch import Tensor

from beadctl.losses import Loss, LossParameters, Term, checked_weights, counted

# Smoothing: an empty prediction of an empty tile costs 0 instead of 0/0, and the gradient there is finite and
# still reduces false foreground.
SMOOTHING_PX = 1.0


def dice(logits: Tensor, target: Tensor, inside: Tensor | None = None) -> Tensor:
    """One minus the soft Dice coefficient of each sample: (N,), between 0 and 1, float32 or wider.

    ``1 - (2 sum(y p) + e) / (sum(y) + sum(p) + e)`` with p the sigmoid of the logits, y the target and
    e one pixel (Milletari, Navab, Ahmadi: V-Net, 3DV 2016, with plain instead of squared sums).

    Parameters
    ----------
    logits, target : Tensor
        (N, 1, H, W) or (N, H, W); target is 0 or 1.
    inside : Tensor, optional
        Of that shape, 1 for pixels that count and 0 for padding; without it all count.
    """
    # Float16 ends at 65,504, less than the sum over 512 x 512 pixels.
    wide = torch.promote_types(logits.dtype, torch.float32)
    probability = counted(logits.to(wide).flatten(1).sigmoid(), inside)
    truth = counted(target.to(wide).flatten(1), inside)
    overlap = (truth * probability).sum(1)
    total = truth.sum(1) + probability.sum(1)
    return 1 - (2 * overlap + SMOOTHING_PX) / (total + SMOOTHING_PX)


def build(parameters: LossParameters) -> tuple[Term, ...]:
    """Return the loss as its only term."""
    (weight,) = checked_weights(Loss.DICE, parameters.weights)
    return (Term("dice", weight, dice),)
