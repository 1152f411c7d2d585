"""The weights of the loss's terms move in a straight line from where they start to where they end."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from beadctl.weighting import Weighting, WeightingParameters


class Ramp(nn.Module):
    """Weights ``start + (end - start) min(epoch / length, 1)``, the marker's apart.

    With Dice and focal from 0.5, 0.5 to 0.7, 0.3 over 30 epochs: first learn what is bead at all, then fit
    the overlap that is scored. The epoch moves on with every step, so there are no jumps between epochs.

    Parameters
    ----------
    start, end : sequence of float
        Weights of all terms, in their order.
    length : float
        Epochs between them, above 0.
    """

    measures = False

    def __init__(self, start: Sequence[float], end: Sequence[float], length: float) -> None:
        super().__init__()
        self.length = length
        self.register_buffer("start", torch.tensor(start, dtype=torch.float64))
        self.register_buffer("end", torch.tensor(end, dtype=torch.float64))

    def weights(self, epoch: float) -> Tensor:
        """Return the weights after so many epochs, (K,)."""
        start, end = self.get_buffer("start"), self.get_buffer("end")
        return start + (end - start) * min(epoch / self.length, 1.0)

    def regulariser(self) -> Tensor:
        """Return 0: nothing is learned."""
        return self.get_buffer("end").new_zeros(())

    def observe(self, gradient_norms: Tensor) -> None:
        """Ignore the gradients."""


def build(weights: Sequence[float], parameters: WeightingParameters) -> Weighting:
    """Return the ramp to `weights`; without another start, from equal shares with the same sum."""
    *ends, marker = weights
    starts = parameters.ramp_from or (sum(ends) / len(ends),) * len(ends)
    if len(starts) != len(ends):
        raise ValueError(f"the loss has {len(ends)} term(s), the start of the ramp {len(starts)}")
    return Ramp((*starts, marker), weights, parameters.ramp_epochs)
