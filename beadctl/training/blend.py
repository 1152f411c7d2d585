"""The weighted mean of two networks, such as a fine-tuned one and the one that it started from.

Fine-tuning learns new images and forgets others; a mean of the weights before and after may do nearly as well
on both [1]_, at no cost of training or inference. It needs networks of which one was trained from the other.

References
----------
.. [1] Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch

from beadctl.errors import ModelError
from beadctl.training.fold import fold
from beadctl.training.start import Start
from beadctl.training.unet import UNet


@dataclass(frozen=True, eq=False)
class Blend:
    """The other network of a mean: its weights, and their share, 0..1."""

    other: Start
    share: float

    @property
    def facts(self) -> dict[str, Any]:
        """Plain values for the model file."""
        return {"source": self.other.source, "sha256": self.other.sha256, "share": self.share}

    def of(self, network: UNet) -> UNet:
        """Return the weighted mean with a network, batch normalisation folded in both.

        Raises
        ------
        ModelError
            If the architectures differ.
        """
        assert self.other.state_dict is not None
        # Dropout has no weights.
        if replace(self.other.architecture, dropout=0.0) != replace(network.architecture, dropout=0.0):
            raise ModelError(
                f"{self.other.source}: is a network of another shape than the run's; blend a run with weights"
                " that it started from"
            )
        towards = UNet(self.other.architecture)
        towards.load_state_dict(self.other.state_dict)
        mean, far = fold(network), fold(towards)
        with torch.no_grad():
            for ours, theirs in zip(mean.parameters(), far.parameters(), strict=True):
                ours.lerp_(theirs, self.share)
        return mean
