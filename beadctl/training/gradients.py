"""Gradient audit: on which pixels the gradient of a loss falls, and how large it is beside cross-entropy's.

Two figures, measured on a batch with the current logits:

Shares
    The parts of the gradient on the boundary, on the inside of beads and on the background.
Effective weight
    The gradient at a pixel of a given class and confidence over that of cross-entropy. It differs from the
    factor in the formula of a loss, as that depends on the logit too. For the focal loss, ``L = -a (1 - q)^g
    log q`` with q the probability of the true class and z its logit, so that ``dq/dz = q (1 - q)``::

        dL/dq = a [g (1 - q)^(g - 1) log q - (1 - q)^g / q]
        dL/dz = q (1 - q) dL/dq
              = -a (1 - q)^g [(1 - q) - g q log q]

    Cross-entropy is the case a = 1, g = 0 with ``dBCE/dz = -(1 - q)``, and the effective weight is ::

        |dL/dz| / |dBCE/dz| = a (1 - q)^(g - 1) [(1 - q) - g q log q]

    With g = 2 that is 0.029, 0.240, 0.597 and 0.996 times a at q = 0.9, 0.7, 0.5 and 0.3; the factor
    ``(1 - q)^2`` is 0.01, 0.09, 0.25 and 0.49.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import Tensor

from beadctl.losses import Loss, LossParameters, weighted
from beadctl.losses.multi_term import band

if TYPE_CHECKING:
    from beadctl.losses import LossFunction

REGIONS = ("boundary", "interior", "background")
CLASSES = ("bead", "background")
CONFIDENCES_PERCENT = (90, 70, 50, 30)
CONFIDENCE_REACH_PERCENT = 5

# Of ``gradients.csv``: when in the run, then what `measure` returns.
COLUMNS = (
    *("epoch", "step", "loss", "gradient_sum"),
    *(f"{figure}_{region}" for figure in ("share", "pixels") for region in REGIONS),
    *(f"{kind}_{percent:03d}" for kind in CLASSES for percent in CONFIDENCES_PERCENT),
)

Floats = NDArray[np.float64]


def measure(
    logits: Tensor,
    target: Tensor,
    losses: Mapping[str, LossFunction],
    *,
    band_px: int = 2,
    inside: Tensor | None = None,
) -> list[dict[str, Any]]:
    """Measure where the gradient of every loss falls on the same logits.

    The logits are copied, so the caller's graph, its ``.grad`` and the random state do not change, and it may
    be called where gradients are off.

    Parameters
    ----------
    logits, target : Tensor
        (N, 1, H, W) or (N, H, W), foreground; target is 0 or 1.
    losses : mapping of str to function
        By name: each takes logits and target and returns one value per sample.
    band_px : int
        Half width of the boundary, px, at least 1.
    inside : Tensor, optional
        Of the shape of the target, 1 for pixels that count and 0 for padding; without it all count.

    Returns
    -------
    list of dict
        One for each loss, in their order, with these of the `COLUMNS`:

        loss
            Its name.
        gradient_sum
            Sum over all pixels of all samples of ``|dL/dz|``, L the mean of the loss over the samples and z
            the foreground logit.
        share_boundary, share_interior, share_background
            Shares of that sum; nan if the gradient is zero everywhere. Boundary is every pixel with one of
            the other class at most ``band_px`` away, along an axis or diagonally, where the image's border is
            no edge; interior is the rest of the beads.
        pixels_boundary, pixels_interior, pixels_background
            Shares of the pixels, for comparison.
        bead_090, bead_070, bead_050, bead_030
            Effective weight on bead pixels that are bead with a probability of 0.9, 0.7, 0.5 or 0.3, from
            0.05 below to just under 0.05 above: the sum of ``|dL/dz|`` over these pixels by that of
            cross-entropy's. nan without such pixels.
        background_090, background_070, background_050, background_030
            The same on background pixels, with the probability of background.
    """
    wide = torch.promote_types(logits.dtype, torch.float32)
    # Tensors of inference mode cannot be part of a graph; copies made outside of it can.
    with torch.inference_mode(False):
        leaf = logits.detach().to(wide, copy=True).requires_grad_()
        truth = target.detach().to(wide, copy=True)
    bead = _flat_doubles(truth) > 0.5
    towards = _flat_doubles(leaf) * np.where(bead, 1, -1)
    near_edge = _flat_doubles(band(truth, band_px)) > 0
    places = np.select([near_edge, bead], [0, 1], 2)  # in the order of REGIONS
    # Weight of each pixel in the mean over the pixels of its sample and over the samples.
    counts = (torch.ones_like(truth) if inside is None else inside).double().flatten(1)
    weight = _flat_doubles(counts / counts.sum(1, keepdim=True) / len(counts))
    pixels = np.bincount(places, weight > 0, minlength=len(REGIONS)) / np.count_nonzero(weight)
    cells = _cells(bead, expit(towards))
    cross_entropy = _cell_sums(expit(-towards) * weight, cells)
    found = []
    for name, loss in losses.items():
        gradient = _gradient(loss, leaf, truth, *(() if inside is None else (inside,)))
        by_region = np.bincount(places, gradient, minlength=len(REGIONS))
        shares = by_region / _nan_for_zero(by_region.sum())
        weights = _cell_sums(gradient, cells) / _nan_for_zero(cross_entropy)
        figures = np.concatenate(([by_region.sum()], shares, pixels, weights)).tolist()
        found.append({"loss": name, **dict(zip(COLUMNS[3:], figures, strict=True))})
    return found


def audited_losses(loss: Loss, parameters: LossParameters) -> dict[str, LossFunction]:
    """Return what a run of a loss audits, by name: its terms, then every loss with weights of its own."""
    terms = {term.name: term.loss for term in loss.load()(parameters)}
    own = replace(parameters, weights=None)
    return terms | {str(one): weighted(one.load()(own)) for one in Loss}


def _gradient(loss: LossFunction, leaf: Tensor, truth: Tensor, *inside: Tensor) -> Floats:
    """Absolute gradient of the mean over the samples, one value a pixel."""
    device = leaf.device.type
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast(device, enabled=False):
        (gradient,) = torch.autograd.grad(loss(leaf, truth, *inside).mean(), leaf)
    return np.abs(_flat_doubles(gradient))


def _flat_doubles(values: Tensor) -> Floats:
    """One value a pixel, on the CPU in float64, for sums over millions of pixels."""
    return values.detach().flatten().cpu().numpy().astype(np.float64)


def _cells(bead: NDArray[np.bool_], right: Floats) -> NDArray[np.int64]:
    """Class and confidence of every pixel as one number from 1; 0 for a confidence between the bins."""
    cells = np.zeros(right.shape, np.int64)
    first = np.where(bead, 1, 1 + len(CONFIDENCES_PERCENT))
    for number, percent in enumerate(CONFIDENCES_PERCENT):
        low, high = ((percent + sign * CONFIDENCE_REACH_PERCENT) / 100 for sign in (-1, 1))
        inside = (right >= low) & (right < high)
        cells[inside] = first[inside] + number
    return cells


def _cell_sums(values: Floats, cells: NDArray[np.int64]) -> Floats:
    """Sum of the values in every bin: those of beads, then those of background."""
    bins = len(CLASSES) * len(CONFIDENCES_PERCENT)
    return np.bincount(cells, values, minlength=1 + bins)[1:].astype(np.float64)


def _nan_for_zero(values: Floats) -> Floats:
    return np.where(values == 0, math.nan, values)
