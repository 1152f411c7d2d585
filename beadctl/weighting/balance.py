"""The weights make every term pull with the strength that was asked for, whatever its own scale."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from beadctl.weighting import Weighting, WeightingParameters

# Of a step's gradient in the moving average: half of it is of the last seven steps.
MEMORY = 0.9
# A term that hardly pulls, such as the edges of an empty tile, gets no more than this times its weight.
LARGEST_GAIN = 100.0


class Balance(nn.Module):
    """Weights in inverse proportion to the moving average of each term's gradient.

    ``w_k = c a_k / g_k`` with a the weights asked for, g the gradient norms of the terms and c such that the
    weights keep their sum. So the weighted gradients stand to each other as a, where fixed weights leave
    that to the scale of each term: a focal loss is hundreds of times smaller than Dice. It is the balance of
    GradNorm (Chen et al., ICML 2018) with its rate exponent at 0, solved in each step instead of learned;
    norms are taken at the features that all terms share, which bounds those of the weights below them (Sener
    & Koltun, NeurIPS 2018, section 3.3) and costs no second pass through the network.

    Parameters
    ----------
    weights : sequence of float
        The shares of the gradient, in force until the first step.
    """

    measures = True

    def __init__(self, weights: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("share", torch.tensor(weights, dtype=torch.float64))
        self.register_buffer("norm", torch.zeros(len(weights), dtype=torch.float64))

    def weights(self, epoch: float) -> Tensor:  # noqa: ARG002
        """Return the weights for the gradients seen so far, (K,)."""
        share, norm = self.get_buffer("share"), self.get_buffer("norm")
        if not norm.any():
            return share
        raw = share / norm.clamp(min=float(norm.max()) / LARGEST_GAIN)
        return raw * (share.sum() / raw.sum())

    def regulariser(self) -> Tensor:
        """Return 0: the weights cost nothing."""
        return self.get_buffer("share").new_zeros(())

    def observe(self, gradient_norms: Tensor) -> None:
        """Take the norms of a step into the average; the first one starts it."""
        norm = self.get_buffer("norm")
        if norm.any():
            norm.lerp_(gradient_norms.to(norm), 1 - MEMORY)
        else:
            norm.copy_(gradient_norms)


def build(weights: Sequence[float], parameters: WeightingParameters) -> Weighting:  # noqa: ARG001
    """Return the weighting; there is nothing to tune."""
    return Balance(weights)
