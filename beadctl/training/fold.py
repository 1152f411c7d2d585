"""Folding of batch normalisation into convolutions."""

import copy

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from beadctl.training.unet import UNet


def fold(network: UNet) -> UNet:
    """Return a copy whose batch normalisations are part of the convolutions before them.

    Folding makes each output pixel a function of its receptive field alone, in any runtime.
    """
    folded = copy.deepcopy(network).eval()
    for block in [*folded.modules()]:
        if not isinstance(block, nn.Sequential):
            continue
        for index in range(len(block) - 1):
            first, second = block[index], block[index + 1]
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                block[index], block[index + 1] = fuse_conv_bn_eval(first, second), nn.Identity()
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    return folded
