"""Networks of every kind with other numbers than at the start."""

import torch
from torch import nn

from beadctl.training.architecture import Architecture
from beadctl.training.choices import ArchName
from beadctl.training.unet import UNet

SMALL = [
    *(Architecture(2, depth) for depth in (2, 3, 4)),
    *(Architecture(2, 3, kind=kind, dilation=dilation) for kind in ArchName for dilation in (1, 2, 4)),
]
KINDS = [Architecture(4, 3, kind=kind, dilation=2) for kind in ArchName]


def ready(architecture, seed=0):
    """A network whose normalisations have statistics and factors away from 0 and 1."""
    torch.manual_seed(seed)
    network = UNet(architecture).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
    return network
