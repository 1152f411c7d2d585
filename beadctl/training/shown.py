"""What the network is shown in training: the channels as at inference, of a normalised image."""

import numpy as np
from numpy.typing import NDArray

from beadctl.images import InMemory, InputName, Mirrored, NetworkInput
from beadctl.images.normalisation import NORMALISED

# Of networks that start from random weights; others keep the input that they were trained on.
INPUT = InputName.LOCAL


def input_of(channels: int) -> InputName:
    """Return the input of a network by its channels."""
    return next(name for name in InputName if name.channels == channels)


def shown(image: NDArray[np.float32], name: InputName) -> NDArray[np.float32]:
    """Return the channels (C, H, W) of an image (H, W) with the normalisation of this input.

    Pixels of NaN and infinity are those of a mirror, as at inference.
    """
    plane = InMemory(image)
    return NetworkInput.of(plane, name, NORMALISED).apply(Mirrored(plane).read_all())
