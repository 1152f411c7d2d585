"""Weights that give the terms' gradients fixed ratios, whatever the scale of each term."""

from collections.abc import Sequence

import torch
from torch import Tensor

from beadctl.weighting import Weighting, WeightingParameters
from beadctl.weighting.fixed import Fixed

# Share of the old value in the moving average of the gradient norms: its half-life is seven steps.
MEMORY = 0.9
# Largest weight of a term with a small gradient, such as the edges of an empty tile, over the weight given.
LARGEST_GAIN = 100.0


class Balance(Fixed):
    """Weights in inverse proportion to the moving average of each term's gradient.

    ``w_k = c a_k / g_k`` with a the weights given, g the gradient norms of the terms and c such that the
    weights keep their sum. The weighted gradients then have the ratios of a, whereas under fixed weights a
    focal loss has a gradient hundreds of times smaller than Dice. This is the balance of GradNorm (Chen et
    al., ICML 2018) with its rate exponent at 0, solved in each step instead of learned; norms are taken at
    the features that all terms share, which bounds those of the weights below them (Sener & Koltun, NeurIPS
    2018, section 3.3) and needs no second pass through the network. The first step has the weights given.
    """

    measures = True

    def __init__(self, weights: Sequence[float]) -> None:
        super().__init__(weights)
        self.register_buffer("norm", torch.zeros(len(weights), dtype=torch.float64))

    def weights(self, epoch: float) -> Tensor:
        """Return the weights for the gradients observed so far, (K,)."""
        share, norm = super().weights(epoch), self.get_buffer("norm")
        if not norm.any():
            return share
        raw = share / norm.clamp(min=float(norm.max()) / LARGEST_GAIN)
        return raw * (share.sum() / raw.sum())

    def observe(self, gradient_norms: Tensor) -> None:
        """Take the norms of a step into the average; the first one starts it."""
        norm = self.get_buffer("norm")
        if norm.any():
            norm.lerp_(gradient_norms.to(norm), 1 - MEMORY)
        else:
            norm.copy_(gradient_norms)


def build(weights: Sequence[float], parameters: WeightingParameters) -> Weighting:  # noqa: ARG001
    """Return the weighting."""
    return Balance(weights)
