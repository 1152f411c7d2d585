"""The weights are learned, as the certainty that the network has in each term."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from beadctl.weighting import Weighting, WeightingParameters

# Log-variances beyond these are a term that has vanished or exploded, not one that is well known.
LIMIT = 6.0


class Uncertainty(nn.Module):
    """Weights ``exp(-s)`` with learned log-variances s, which themselves cost ``sum(s) / 2``.

    Kendall, Gal, Cipolla: Multi-task learning using uncertainty, CVPR 2018, equation 10 with s = log sigma^2:
    the likelihood of a term with noise sigma^2 is its loss over sigma^2, plus log sigma so that no term is
    called hopeless for free. At rest a term's weight is 1/2 over its value. The marker map's fit is a term like
    the others, else whatever is learned would only mean that it counts for less. A term whose weight is 0
    stays out.

    Parameters
    ----------
    weights : sequence of float
        Where the weights start.
    """

    measures = False

    def __init__(self, weights: Sequence[float]) -> None:
        super().__init__()
        start = torch.tensor(weights, dtype=torch.float32)
        self.register_buffer("used", start > 0)
        self.log_variance = nn.Parameter(-start.clamp(min=1e-9).log().clamp(-LIMIT, LIMIT))

    def weights(self, epoch: float) -> Tensor:  # noqa: ARG002
        """Return the weights learned so far, (K,), with their gradient."""
        # Brought back inside by hand: a clamp in the graph has no gradient beyond its limits, so a variance
        # that once overstepped would never return.
        with torch.no_grad():
            self.log_variance.clamp_(-LIMIT, LIMIT)
        return torch.exp(-self.log_variance) * self.get_buffer("used")

    def regulariser(self) -> Tensor:
        """Return half the sum of the log-variances."""
        return (self.log_variance * self.get_buffer("used")).sum() / 2

    def observe(self, gradient_norms: Tensor) -> None:
        """Ignore the gradients: the optimiser learns the weights."""


def build(weights: Sequence[float], parameters: WeightingParameters) -> Weighting:  # noqa: ARG001
    """Return the weighting; there is nothing to tune."""
    return Uncertainty(weights)
