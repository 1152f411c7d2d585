"""Losses to test: parameters, a batch, and their gradients."""

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage

from beadctl.losses import Loss, LossParameters, weighted

WEIGHTS = {Loss.COMBINED: (0.6, 0.5), Loss.MULTI_TERM: (0.5, 0.4, 0.3)}


PARAMETERS = LossParameters(
    focal_alpha=0.3,
    focal_gamma=1.5,
    tversky_alpha=0.8,
    tversky_beta=0.4,
    tversky_gamma=0.6,
    boundary_px=1,
)


FAMILY = {loss: weighted(loss.load()(LossParameters())) for loss in Loss}


def built(loss, parameters=PARAMETERS):
    """Return a loss with weights of its terms that are not the default."""
    return weighted(loss.load()(replace(parameters, weights=WEIGHTS.get(loss))))


def band_by_hand(target, width_px):
    """Pixels with a pixel of the other class in the square around them, by scipy's morphology."""
    bead, square = target > 0, np.ones((2 * width_px + 1,) * 2, bool)
    dilated = ndimage.binary_dilation(bead, square, border_value=0)
    return dilated & ~ndimage.binary_erosion(bead, square, border_value=1)


def batch(shape=(3, 1, 5, 7), dtype=torch.float64, seed=0, share=0.3):
    """Return random logits, and targets with a share of bead pixels."""
    generator = torch.Generator().manual_seed(seed)
    logits = 4 * torch.randn(shape, generator=generator, dtype=torch.float64)
    target = (torch.rand(shape, generator=generator) < share).to(dtype)
    return logits.to(dtype), target


def with_gradient(function, logits, target):
    """Values and the gradient of their sum."""
    logits = logits.detach().clone().requires_grad_()
    value = function(logits, target)
    value.sum().backward()
    return value.detach(), logits.grad


def torch_bce(logits, target):
    """Return torch's cross-entropy, a value per sample."""
    return F.binary_cross_entropy_with_logits(logits, target, reduction="none").flatten(1).mean(1)
