"""The moving average of the weights, which is what is validated and exported."""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor

from beadctl.training.unet import UNet


class WeightAverage:
    """Exponential moving average of a network (Polyak & Juditsky 1992; decay warmed up).

    The early decay is ``(1 + t) / (10 + t)``, which soon removes the random start. The running means and
    variances of batch normalisation are averaged with the same decay, so they stay those of the averaged
    weights. Counters are copied. The average starts as a copy of the network; `decay` is the largest one, 0
    to below 1, and 0 makes the average the network itself.
    """

    def __init__(self, network: UNet, decay: float) -> None:
        self.decay = decay
        self.network: UNet = copy.deepcopy(network).eval().requires_grad_(False)
        # Found once: on a CPU a walk through all modules takes as long as the sums.
        pairs = list(zip(_values(self.network), _values(network), strict=True))
        self._averaged = [pair for pair in pairs if pair[0].is_floating_point()]
        self._copied = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights of the network after optimiser step `step`, counted from 1."""
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        means, values = zip(*self._averaged, strict=True)
        # All at once: on a GPU a call for each of a hundred small tensors takes longer than the sums.
        torch._foreach_lerp_(means, values, weight)
        for mean, new in self._copied:
            mean.copy_(new)


def _values(network: UNet) -> Iterator[Tensor]:
    yield from network.parameters()
    yield from network.buffers()
