"""Binary cross-entropy: every pixel has the same weight. The reference for the other losses."""

import torch
import torch.nn.functional as F
from torch import Tensor

from beadctl.losses import Loss, LossParameters, Term, checked_weights, counted_mean


def bce(logits: Tensor, target: Tensor, inside: Tensor | None = None) -> Tensor:
    """Mean cross-entropy over the pixels of each sample: (N,), at least 0, float32 or wider.

    ``-y log p - (1 - y) log(1 - p)`` with p the sigmoid of the logits and y the target: the negative log
    likelihood of the mask for independent pixels.

    Parameters
    ----------
    logits, target : Tensor
        (N, 1, H, W) or (N, H, W); target is 0 or 1.
    inside : Tensor, optional
        Of that shape, 1 for pixels that count and 0 for padding; without it all count.
    """
    wide = torch.promote_types(logits.dtype, torch.float32)
    z, truth = logits.to(wide).flatten(1), target.to(wide).flatten(1)
    return counted_mean(F.binary_cross_entropy_with_logits(z, truth, reduction="none"), inside)


def build(parameters: LossParameters) -> tuple[Term, ...]:
    """Return the loss as its only term."""
    (weight,) = checked_weights(Loss.BCE, parameters.weights)
    return (Term("bce", weight, bce),)
