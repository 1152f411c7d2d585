"""Lovasz hinge: a convex surrogate of the Jaccard index."""

import torch
from torch import Tensor

from beadctl.losses import Loss, LossParameters, Term, checked_weights


def lovasz(logits: Tensor, target: Tensor, inside: Tensor | None = None) -> Tensor:
    """Lovasz extension of the Jaccard loss over the hinge errors of each sample: (N,), float32 or wider.

    With the errors ``m = 1 - (2y - 1) z`` in falling order, ``sum_i max(m_i, 0) (J_i - J_(i-1))`` where J_i
    is one minus the Jaccard index if exactly the first i pixels are wrong (Berman, Triki, Blaschko: The
    Lovasz-Softmax loss, CVPR 2018, section 3.1 and algorithm 1). On a tile without beads, where one false
    pixel has the Jaccard loss of all of them, it is the largest error. At least 0, and 0 where all logits are
    right by their margin of 1.

    Parameters
    ----------
    logits, target : Tensor
        (N, 1, H, W) or (N, H, W); target is 0 or 1.
    inside : Tensor, optional
        Of that shape, 1 for pixels that count and 0 for padding; without it all count.
    """
    wide = torch.promote_types(logits.dtype, torch.float32)
    truth = target.to(wide).flatten(1)
    errors = 1 - (2 * truth - 1) * logits.to(wide).flatten(1)
    if inside is not None:
        # Like a pixel of the background that is right by its margin.
        errors, truth = torch.where(inside.flatten(1) > 0, errors, 0.0), truth * inside.flatten(1)
    return torch.stack([_one(error, true) for error, true in zip(errors, truth, strict=True)])


def _one(errors: Tensor, truth: Tensor) -> Tensor:
    # A pixel that is right by its margin adds nothing and ranks behind all that do: leaving it out before
    # sorting gives the same result and saves most of the work.
    inside = errors > 0
    order = torch.argsort(errors[inside].detach(), descending=True, stable=True)
    ranked, bead = errors[inside][order], truth[inside][order]
    beads = truth.sum()
    intersection = beads - bead.cumsum(0)
    union = beads + (1 - bead).cumsum(0)
    # J_i - J_(i-1) in closed form: the difference of two numbers near 1 has three digits in float32. A missed
    # bead pixel is one less in the intersection, a false one is one more in the union; the first false pixel
    # of a tile without beads takes J from 0 to 1.
    steps = torch.where((bead > 0) | (union == 1), 1.0, intersection / (union - 1)) / union
    return (ranked * steps).sum()


def build(parameters: LossParameters) -> tuple[Term, ...]:
    """Return the loss as its only term."""
    (weight,) = checked_weights(Loss.LOVASZ, parameters.weights)
    return (Term("lovasz", weight, lovasz),)
