"""What training minimises: the terms of the chosen loss on the foreground, and the fit of the marker map."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from beadctl.losses import Loss, LossParameters, counted, counted_mean

# Largest weight of a bead pixel in the marker map's loss; beads fill a few per cent of most images.
LARGEST_BEAD_WEIGHT = 10.0

MARKER = "marker"


def marker_loss(
    logits: Tensor,
    marker: Tensor,
    foreground: Tensor,
    contact: Tensor | None = None,
    contact_weight: float = 0.0,
    inside: Tensor | None = None,
) -> Tensor:
    """Weighted mean divergence of predicted from true marker map: (N,), at least 0, float32 or wider.

    Cross-entropy less the entropy of the true map (the Kullback-Leibler divergence of Bernoulli
    distributions), so a perfect map costs 0. Bead pixels together weigh as much as the background, at most
    tenfold each; those at contacts weigh more, as the border weights of Ronneberger et al. [1]_ in the mask.

    Parameters
    ----------
    logits, marker, foreground : Tensor
        (N, H, W); marker in 0..1, foreground 0 or 1.
    contact : Tensor, optional
        (N, H, W), 1 where beads touch or nearly do, else 0.
    contact_weight : float
        Extra weight of such a pixel, as a multiple of that of another bead pixel.
    inside : Tensor, optional
        (N, H, W), 1 for pixels that count and 0 for padding; without it all count.

    References
    ----------
    .. [1] Ronneberger, Fischer & Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation",
       MICCAI 2015.
    """
    wide = torch.promote_types(logits.dtype, torch.float32)
    z, t, bead = (x.to(wide).flatten(1) for x in (logits, marker, foreground))
    entropy = torch.special.entr(t) + torch.special.entr(1 - t)
    divergence = F.binary_cross_entropy_with_logits(z, t, reduction="none") - entropy
    share = counted_mean(bead, inside)[:, None]
    bead_weight = ((1 - share) / share.clamp(min=1e-6)).clamp(1.0, LARGEST_BEAD_WEIGHT)
    weight = torch.where(bead > 0, bead_weight, 1.0)
    if contact is not None and contact_weight:
        weight = torch.where(contact.flatten(1) > 0, (1 + contact_weight) * bead_weight, weight)
    weight = counted(weight, inside)
    mean: Tensor = (divergence * weight).sum(1) / weight.sum(1)
    return mean


@dataclass(frozen=True)
class Objective:
    """The terms that a run minimises, the marker map's fit last.

    Attributes
    ----------
    names, weights, channels : tuple of str, float and int
        Names of the K terms, their weights at the start, and the network's output that each reads: 0
        foreground, 1 marker.
    values : callable
        ``f(logits, targets) -> Tensor (K, N)``, one value per term and sample; logits are (N, 2, H, W),
        foreground and marker; targets (N, 3, H, W), foreground, marker and contacts, or (N, 4, H, W), also 1
        for pixels that count and 0 for padding.
    """

    names: tuple[str, ...]
    weights: tuple[float, ...]
    channels: tuple[int, ...]
    values: Callable[[Tensor, Tensor], Tensor]


def objective(
    loss: Loss, parameters: LossParameters, marker_weight: float, contact_weight: float = 0.0
) -> Objective:
    """Build the objective of a loss on the foreground and of the marker map.

    Parameters
    ----------
    loss, parameters : Loss and LossParameters
        Of the foreground.
    marker_weight, contact_weight : float
        Weight of the marker map's loss, and what `marker_loss` takes for contacts.
    """
    terms = loss.load()(parameters)

    def values(logits: Tensor, targets: Tensor) -> Tensor:
        foreground, inside = targets[:, 0], targets[:, 3] if targets.shape[1] > 3 else None
        rows = [term.loss(logits[:, 0], foreground, inside) for term in terms]
        fit = marker_loss(logits[:, 1], targets[:, 1], foreground, targets[:, 2], contact_weight, inside)
        return torch.stack([*rows, fit])

    return Objective(
        names=(*(term.name for term in terms), MARKER),
        weights=(*(term.weight for term in terms), marker_weight),
        channels=(*(0 for _ in terms), 1),
        values=values,
    )


def gradient_energies(values: Tensor, logits: Tensor, channels: tuple[int, ...], head: Tensor) -> Tensor:
    """Squared norms (K,) of the terms' gradients at the features that the last layer reads, over all samples.

    The last layer is a 1x1 convolution: a term's gradient at the features is that at its logit times the
    layer's row for the logit, and the norm is the product of their norms. Samples have separate features, so
    energies add over samples and micro-batches.

    Parameters
    ----------
    values : Tensor
        (K, N), of `Objective.values` for these logits; its graph is kept.
    logits : Tensor
        (N, 2, H, W).
    channels : tuple of int
        As in `Objective`.
    head : Tensor
        Weight of the last layer, (2, C, 1, 1).
    """
    rows = head.detach().flatten(1).square().sum(1)
    energies = []
    for value, channel in zip(values, channels, strict=True):
        (slope,) = torch.autograd.grad(value.sum(), logits, retain_graph=True)
        energies.append(slope[:, channel].square().sum() * rows[channel])
    return torch.stack(energies)
