"""Focal Tversky loss: a power of the Tversky loss, which sets the weight of hard samples."""

from functools import partial

import torch
from torch import Tensor

from beadctl.losses import Loss, LossParameters, Term, checked_weights
from beadctl.losses.tversky import tversky


def focal_tversky(
    logits: Tensor,
    target: Tensor,
    inside: Tensor | None = None,
    *,
    alpha: float = 0.7,
    beta: float = 0.3,
    gamma: float = 0.75,
) -> Tensor:
    """Tversky loss of each sample to the power of gamma: (N,), between 0 and 1, float32 or wider.

    ``T^gamma`` with T from `beadctl.losses.tversky` (Abraham & Khan: A novel focal Tversky loss function,
    ISBI 2019, whose 1/gamma with gamma = 4/3 is 0.75 here). Its slope is ``gamma T^(gamma - 1)`` times that
    of T: an exponent below 1 raises the gradient of nearly right samples, above 1 that of the others. The
    gradient of a perfect sample is 0; that of the bare power is infinite for an exponent below 1.

    Parameters
    ----------
    logits, target, inside, alpha, beta
        As for `beadctl.losses.tversky.tversky`.
    gamma : float
        Exponent, above 0.
    """
    loss = tversky(logits, target, inside, alpha=alpha, beta=beta)
    wrong = loss > 0
    # The 1 keeps the slope finite in the samples that `where` discards: infinity times 0 is nan.
    return torch.where(wrong, torch.where(wrong, loss, 1.0) ** gamma, 0.0 * loss)


def build(parameters: LossParameters) -> tuple[Term, ...]:
    """Return the loss with its numbers as its only term."""
    (weight,) = checked_weights(Loss.FOCAL_TVERSKY, parameters.weights)
    alpha, beta, gamma = parameters.tversky_alpha, parameters.tversky_beta, parameters.tversky_gamma
    bound = partial(focal_tversky, alpha=alpha, beta=beta, gamma=gamma)
    return (Term("focal-tversky", weight, bound),)
