"""What the network is shown in training: the channels as at inference, of a normalised image."""

import numpy as np
from numpy.typing import NDArray

from beadctl.images import InMemory, InputName, NetworkInput
from beadctl.images.normalisation import NORMALISED

# Of every network that is trained now; older model files state another.
INPUT = InputName.LOCAL


def shown(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the channels (C, H, W) of a normalised image (H, W)."""
    return NetworkInput.of(InMemory(image), INPUT, NORMALISED).apply(image)
