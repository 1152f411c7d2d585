"""Tversky loss: Dice with separate prices for missed and for false bead pixels."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from beadctl.losses import Loss, LossParameters, Term, checked_weights

# One pixel of smoothing, as in Dice, and for the same two reasons: no 0/0 on an empty tile, and a finite
# gradient there.
SMOOTHING_PX = 1.0


def tversky(logits: Tensor, target: Tensor, *, alpha: float = 0.7, beta: float = 0.3) -> Tensor:
    """One minus the soft Tversky index of each sample.

    ``1 - (TP + e) / (TP + alpha FN + beta FP + e)`` with TP = sum(y p), FN = sum(y (1 - p)),
    FP = sum((1 - y) p), p the sigmoid of the logits, y the target and e one pixel (Salehi, Erdogmus,
    Gholipour: Tversky loss function for image segmentation, MLMI 2017, whose alpha is the price of FP and
    beta that of FN). With alpha = beta = 1/2 it is Dice, but for the smoothing. A price of a miss above
    that of a false pixel suits beads, which are few and small: a missed one costs its whole area.

    Parameters
    ----------
    logits, target : Tensor
        (N, 1, H, W) or (N, H, W); target is 0 or 1.
    alpha : float
        Price of a missed bead pixel, at least 0.
    beta : float
        Price of a false bead pixel, at least 0.

    Returns
    -------
    Tensor
        (N,), between 0 and 1, float32 or wider.
    """
    # Half precision cannot hold a sum of 262,144 pixels (float16 ends at 65,504): widen before summing.
    wide = torch.promote_types(logits.dtype, torch.float32)
    z, truth = logits.to(wide).flatten(1), target.to(wide).flatten(1)
    found = z.sigmoid()
    hit = (truth * found).sum(1)
    # Of what is missed or false, not 1 - p: near a perfect answer the difference would be all rounding.
    wrong = alpha * (truth * (-z).sigmoid()).sum(1) + beta * ((1 - truth) * found).sum(1)
    return wrong / (hit + wrong + SMOOTHING_PX)


def build(parameters: LossParameters) -> tuple[Term, ...]:
    """Return the loss, with its two prices bound, as its only term."""
    (weight,) = checked_weights(Loss.TVERSKY, parameters.weights)
    priced = partial(tversky, alpha=parameters.tversky_alpha, beta=parameters.tversky_beta)
    return (Term("tversky", weight, priced),)
