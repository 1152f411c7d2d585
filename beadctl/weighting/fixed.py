"""Constant weights."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from beadctl.weighting import Weighting, WeightingParameters


class Fixed(nn.Module):
    """The same weights in every step: of all terms, in their order."""

    measures = False

    def __init__(self, weights: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("start", torch.tensor(weights, dtype=torch.float64))

    def weights(self, epoch: float) -> Tensor:  # noqa: ARG002
        """Return the weights, (K,)."""
        return self.get_buffer("start")

    def regulariser(self) -> Tensor:
        """Return 0: no weight is learned."""
        return self.get_buffer("start").new_zeros(())

    def observe(self, gradient_norms: Tensor) -> None:
        """Ignore the gradients."""


def build(weights: Sequence[float], parameters: WeightingParameters) -> Weighting:  # noqa: ARG001
    """Return the weighting."""
    return Fixed(weights)
