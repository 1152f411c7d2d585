"""What training minimises: the chosen loss on the foreground, and a fit of the seed map."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from beadctl.losses import Loss, LossParameters

if TYPE_CHECKING:
    from beadctl.losses import LossFunction

# Beads fill a few per cent of most images; their pixels weigh more in the seed map's loss, up to this.
LARGEST_BEAD_WEIGHT = 10.0

Objective = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def seed_loss(logits: Tensor, seed: Tensor, foreground: Tensor) -> Tensor:
    """Weighted mean divergence of the predicted from the true seed map, one value per sample.

    Cross-entropy between two coins, less the entropy of the true one, so that a perfect map costs 0
    whatever its values. Bead pixels together weigh as much as the background, at most tenfold each.

    Parameters
    ----------
    logits, seed, foreground : Tensor
        (N, H, W); seed in 0..1, foreground 0 or 1.

    Returns
    -------
    Tensor
        (N,), at least 0, float32 or wider.
    """
    wide = torch.promote_types(logits.dtype, torch.float32)
    z, t, bead = (x.to(wide).flatten(1) for x in (logits, seed, foreground))
    entropy = torch.special.entr(t) + torch.special.entr(1 - t)
    divergence = F.binary_cross_entropy_with_logits(z, t, reduction="none") - entropy
    share = bead.mean(1, keepdim=True)
    bead_weight = ((1 - share) / share.clamp(min=1e-6)).clamp(1.0, LARGEST_BEAD_WEIGHT)
    weight = torch.where(bead > 0, bead_weight, 1.0)
    mean: Tensor = (divergence * weight).sum(1) / weight.sum(1)
    return mean


def objective(loss: Loss, parameters: LossParameters) -> Objective:
    """Return ``f(logits, targets) -> (mask loss, seed loss)``, one value per sample each.

    Both arguments of the function are (N, 2, H, W): foreground and seed.
    """
    mask_loss: LossFunction = loss.load()(parameters)

    def terms(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        foreground = targets[:, 0]
        return mask_loss(logits[:, 0], foreground), seed_loss(logits[:, 1], targets[:, 1], foreground)

    return terms
