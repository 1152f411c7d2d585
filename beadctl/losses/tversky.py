"""Tversky loss: Dice with separate weights of missed and of false bead pixels."""

from functools import partial

import torch
from torch import Tensor

from beadctl.losses import Loss, LossParameters, Term, checked_weights, counted
from beadctl.losses.dice import SMOOTHING_PX


def tversky(
    logits: Tensor, target: Tensor, inside: Tensor | None = None, *, alpha: float = 0.7, beta: float = 0.3
) -> Tensor:
    """One minus the soft Tversky index of each sample: (N,), between 0 and 1, float32 or wider.

    ``1 - (TP + e) / (TP + alpha FN + beta FP + e)`` with TP = sum(y p), FN = sum(y (1 - p)),
    FP = sum((1 - y) p), p the sigmoid of the logits, y the target and e one pixel (Salehi, Erdogmus,
    Gholipour: Tversky loss function for image segmentation, MLMI 2017, whose alpha is the weight of FP and
    beta that of FN). With alpha = beta = 1/2 it is Dice, but for the smoothing. Alpha above beta suits beads,
    which cover a small share of the image.

    Parameters
    ----------
    logits, target : Tensor
        (N, 1, H, W) or (N, H, W); target is 0 or 1.
    inside : Tensor, optional
        Of that shape, 1 for pixels that count and 0 for padding; without it all count.
    alpha, beta : float
        Weights of a missed and of a false bead pixel, at least 0.
    """
    # Float16 ends at 65,504, less than the sum over 512 x 512 pixels.
    wide = torch.promote_types(logits.dtype, torch.float32)
    z, truth = logits.to(wide).flatten(1), target.to(wide).flatten(1)
    found = z.sigmoid()
    hit = counted(truth * found, inside).sum(1)
    # FN from sigmoid(-z): near a perfect prediction 1 - sigmoid(z) is mostly rounding.
    missed, false = counted(truth * (-z).sigmoid(), inside), counted((1 - truth) * found, inside)
    wrong = alpha * missed.sum(1) + beta * false.sum(1)
    return wrong / (hit + wrong + SMOOTHING_PX)


def build(parameters: LossParameters) -> tuple[Term, ...]:
    """Return the loss with its two weights as its only term."""
    (weight,) = checked_weights(Loss.TVERSKY, parameters.weights)
    bound = partial(tversky, alpha=parameters.tversky_alpha, beta=parameters.tversky_beta)
    return (Term("tversky", weight, bound),)
