"""Between two networks: the weights of a run drawn back towards others, such as those that it started from.

A run on new images learns them and forgets others. Between its weights and those of its start lies a straight
way of networks, and on it some that know both nearly as well [1]_. It costs nothing, at training or at
inference. Networks that did not grow from one have no such way between them, and their mean is none.

References
----------
.. [1] Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch

from beadctl.errors import ModelError
from beadctl.training.fold import fold
from beadctl.training.start import Start
from beadctl.training.unet import UNet


@dataclass(frozen=True, eq=False)
class Blend:
    """What the weights of a run are drawn towards.

    Attributes
    ----------
    other : Start
        The weights.
    share : float
        Theirs in the mean, 0..1.
    """

    other: Start
    share: float

    @property
    def facts(self) -> dict[str, Any]:
        """What the model file tells of it."""
        return {"source": self.other.source, "sha256": self.other.sha256, "share": self.share}

    def of(self, network: UNet) -> UNet:
        """Return the weighted mean of a network and the other one, both with batch normalisation folded.

        Raises
        ------
        ModelError
            If they are not of one shape.
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
