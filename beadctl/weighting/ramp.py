"""Weights of the loss's terms that change linearly over the first epochs."""

from collections.abc import Sequence

import torch
from torch import Tensor

from beadctl.weighting import Weighting, WeightingParameters
from beadctl.weighting.fixed import Fixed
from beadctl.words import number_of


class Ramp(Fixed):
    """Weights ``start + (end - start) min(epoch / length, 1)``.

    With Dice and focal from 0.5, 0.5 to 0.7, 0.3 over 30 epochs, training first finds which pixels are bead,
    then fits the overlap that is scored. The epoch is a fraction that grows with every step.

    Parameters
    ----------
    start, end : sequence of float
        Weights of all terms, in their order.
    length : float
        Epochs between them, above 0.
    """

    def __init__(self, start: Sequence[float], end: Sequence[float], length: float) -> None:
        super().__init__(start)
        self.length = length
        self.register_buffer("end", torch.tensor(end, dtype=torch.float64))

    def weights(self, epoch: float) -> Tensor:
        """Return the weights after so many epochs, (K,)."""
        start, end = self.get_buffer("start"), self.get_buffer("end")
        return start + (end - start) * min(epoch / self.length, 1.0)


def build(weights: Sequence[float], parameters: WeightingParameters) -> Weighting:
    """Return the ramp to `weights`, by default from equal shares with their sum; the marker's is constant."""
    *ends, marker = weights
    starts = parameters.ramp_from or (sum(ends) / len(ends),) * len(ends)
    if len(starts) != len(ends):
        raise ValueError(f"the loss has {number_of(len(ends), 'term')}, the start of the ramp {len(starts)}")
    return Ramp((*starts, marker), weights, parameters.ramp_epochs)
