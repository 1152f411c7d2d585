"""Weights that are learned, by the uncertainty of each term."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from beadctl.weighting import Weighting, WeightingParameters

# Largest absolute log-variance; beyond it a term has vanished or exploded.
LIMIT = 6.0


class Uncertainty(nn.Module):
    """Weights ``exp(-s)`` with learned log-variances s and a regulariser ``sum(s) / 2``.

    Kendall, Gal, Cipolla: Multi-task learning using uncertainty, CVPR 2018, equation 10 with s = log sigma^2.
    The regulariser keeps the variances from growing without bound; at equilibrium a term's weight is 1/2 over
    its value. The fit of the marker map is one of the terms. Training starts from the weights given; a term
    whose weight is 0 stays out.
    """

    measures = False

    def __init__(self, weights: Sequence[float]) -> None:
        super().__init__()
        start = torch.tensor(weights, dtype=torch.float32)
        self.register_buffer("used", start > 0)
        self.log_variance = nn.Parameter(-start.clamp(min=1e-9).log().clamp(-LIMIT, LIMIT))

    def weights(self, epoch: float) -> Tensor:  # noqa: ARG002
        """Return the weights learned so far, (K,), with their gradient."""
        # In place: a clamp in the graph has no gradient beyond its limits, so a variance could not return.
        with torch.no_grad():
            self.log_variance.clamp_(-LIMIT, LIMIT)
        return torch.exp(-self.log_variance) * self.get_buffer("used")

    def regulariser(self) -> Tensor:
        """Return half the sum of the log-variances."""
        return (self.log_variance * self.get_buffer("used")).sum() / 2

    def observe(self, gradient_norms: Tensor) -> None:
        """Ignore the gradients: the optimiser learns the weights."""


def build(weights: Sequence[float], parameters: WeightingParameters) -> Weighting:  # noqa: ARG001
    """Return the weighting."""
    return Uncertainty(weights)
