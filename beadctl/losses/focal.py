"""Focal loss: cross-entropy with less weight on well classified pixels."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from beadctl.losses import Loss, LossParameters, Term, checked_weights, counted_mean


def focal(
    logits: Tensor, target: Tensor, inside: Tensor | None = None, *, alpha: float = 0.25, gamma: float = 2.0
) -> Tensor:
    """Mean focal loss over the pixels of each sample: (N,), at least 0, float32 or wider.

    ``-a (1 - q)^gamma log q`` with q the probability given to the true class and a = alpha on beads,
    1 - alpha on background (Lin et al.: Focal Loss for Dense Object Detection, ICCV 2017, eq. 5).

    Parameters
    ----------
    logits, target : Tensor
        (N, 1, H, W) or (N, H, W); target is 0 or 1.
    inside : Tensor, optional
        Of that shape, 1 for pixels that count and 0 for padding; without it all count.
    alpha : float
        Weight of bead pixels, 0 to 1.
    gamma : float
        Focusing exponent, at least 0; 0 gives weighted cross-entropy.
    """
    wide = torch.promote_types(logits.dtype, torch.float32)
    truth = target.to(wide).flatten(1)
    # For the logit of the true class logsigmoid is log q, for its negative log(1 - q). Both are finite, with
    # finite gradients, where the sigmoid has rounded to 0 or 1.
    towards = logits.to(wide).flatten(1) * (2 * truth - 1)
    log_right, log_wrong = F.logsigmoid(towards), F.logsigmoid(-towards)
    weight = alpha * truth + (1 - alpha) * (1 - truth)
    return -counted_mean(weight * torch.exp(gamma * log_wrong) * log_right, inside)


def build(parameters: LossParameters) -> tuple[Term, ...]:
    """Return the loss with its alpha and gamma as its only term."""
    (weight,) = checked_weights(Loss.FOCAL, parameters.weights)
    focused = partial(focal, alpha=parameters.focal_alpha, gamma=parameters.focal_gamma)
    return (Term("focal", weight, focused),)
