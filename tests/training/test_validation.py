"""Validation runs the network as inference does."""

import numpy as np
import torch

from beadctl.training.architecture import Architecture
from beadctl.training.shown import INPUT, shown
from beadctl.training.unet import UNet
from beadctl.training.validation import maps


def test_validation_pads_like_inference(tiles):
    """Whole images of any size are mirrored below and to the right to whole strides."""
    torch.manual_seed(0)
    network = UNet(Architecture(4, 3, inputs=3)).eval()
    image = np.random.default_rng(0).normal(0, 0.5, (37, 50)).astype(np.float32)
    found = maps(network, image, torch.device("cpu"))
    assert [(plane.shape, plane.dtype) for plane in found.planes] == [(image.shape, np.uint8)] * 2
    wide = np.pad(shown(image, INPUT), ((0, 0), (0, 3), (0, 2)), mode="reflect")
    with torch.no_grad():
        answer = network(torch.from_numpy(wide)[None])[0, :, :37, :50].sigmoid() * 255
    # A value that lies on a half may round either way when convolutions sum in another order.
    assert np.abs(answer[0].numpy() - found.probability).max() < 0.5 + 1e-3
    assert np.abs(answer[1].numpy() - found.marker).max() < 0.5 + 1e-3
