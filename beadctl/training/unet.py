"""The network: a U-Net with two outputs per pixel, foreground and marker, in the kinds of `ArchName`.

Every layer is convolution, batch normalisation, pooling, nearest-neighbour resizing or an operation on single
pixels, so an output pixel depends on its receptive field alone, and tiles with a halo give the pixels of the
whole image. Normalisation or attention over the whole image would break that.
"""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from beadctl.training.architecture import Architecture
from beadctl.training.choices import ArchName

# First output of the head: low, as most pixels are background (Lin et al., ICCV 2017, section 4.1).
PRIOR = 0.05


def _normalised(inputs: int, outputs: int, kernel: int, dilation: int = 1) -> list[nn.Module]:
    # No bias: batch normalisation subtracts it.
    return [
        nn.Conv2d(inputs, outputs, kernel, padding=dilation * (kernel // 2), dilation=dilation, bias=False),
        nn.BatchNorm2d(outputs),
    ]


class Residual(nn.Module):
    """Two 3x3 convolutions whose input is added before the last ReLU.

    The shortcut of He et al. (CVPR 2016, figure 2), which Zhang, Liu, Wang (IEEE GRSL 15, 2018) put into
    the blocks of a U-Net; a 1x1 convolution takes the input to other channels where it has to. The second
    convolution is dilated.
    """

    def __init__(self, inputs: int, outputs: int, dilation: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_normalised(inputs, outputs, 3), nn.ReLU(True), *_normalised(outputs, outputs, 3, dilation)
        )
        self.shortcut = (
            nn.Identity() if inputs == outputs else nn.Sequential(*_normalised(inputs, outputs, 1))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Take (N, inputs, H, W) to (N, outputs, H, W)."""
        return F.relu(self.body(x) + self.shortcut(x))


class Gate(nn.Module):
    """Additive attention on a skip: each pixel is multiplied by 0 to 1, computed from skip and level below.

    Oktay et al. (MIDL 2018), equations 1 and 2, with batch normalisation after each convolution. All
    convolutions are 1x1, so the receptive field does not grow.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        between = max(1, channels // 2)
        self.skip = nn.Sequential(*_normalised(channels, between, 1))
        self.signal = nn.Sequential(*_normalised(channels, between, 1))
        self.attention = nn.Sequential(nn.ReLU(True), *_normalised(between, 1, 1))

    def forward(self, skip: Tensor, signal: Tensor) -> Tensor:
        """Multiply `skip` by its attention to `signal`, both (N, channels, H, W)."""
        return skip * torch.sigmoid(self.attention(self.skip(skip) + self.signal(signal)))


def _block(kind: str, inputs: int, outputs: int, dropout: float = 0.0, dilation: int = 1) -> nn.Sequential:
    layers: list[nn.Module]
    if kind == ArchName.RESUNET:
        layers = [Residual(inputs, outputs, dilation)]
    else:
        layers = [
            *(*_normalised(inputs, outputs, 3), nn.ReLU(True)),
            *(*_normalised(outputs, outputs, 3, dilation), nn.ReLU(True)),
        ]
    if dropout:
        layers.append(nn.Dropout2d(dropout))
    return nn.Sequential(*layers)


class Beside(nn.Module):
    """Lay the channels of a skip and of the level below beside each other."""

    def forward(self, skip: Tensor, below: Tensor) -> Tensor:
        """Take both, (N, channels, H, W), to (N, 2 * channels, H, W)."""
        return torch.cat((skip, below), 1)


class UNet(nn.Module):
    """U-Net (Ronneberger, Fischer, Brox, MICCAI 2015) with same-size convolutions and batch normalisation.

    The decoder's upsampling is a 1x1 convolution followed by nearest-neighbour doubling: cheaper than a
    transposed convolution at inference, and without its chequerboard artefacts.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        kind, channels = architecture.kind, architecture.channels
        last = len(channels) - 1
        self.down = nn.ModuleList(
            _block(
                kind,
                inputs,
                outputs,
                architecture.dropout if level >= last - 1 else 0.0,
                architecture.dilation if level == last else 1,
            )
            for level, (inputs, outputs) in enumerate(pairwise((architecture.inputs, *channels)))
        )
        levels = range(last - 1, -1, -1)
        self.shrink = nn.ModuleList(nn.Conv2d(channels[level + 1], channels[level], 1) for level in levels)
        self.beside: nn.Module = Beside()
        self.up = nn.ModuleList(_block(kind, 2 * channels[level], channels[level]) for level in levels)
        gated = levels if kind == ArchName.ATTENTION_UNET else ()
        self.gate = nn.ModuleList(Gate(channels[level]) for level in gated)
        self.head = nn.Conv2d(channels[0], 2, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        assert self.head.bias is not None
        nn.init.constant_(self.head.bias, math.log(PRIOR / (1 - PRIOR)))

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits (N, 2, H, W) of foreground and marker of normalised images, float (N, C, H, W).

        H and W are multiples of the stride.
        """
        x, skips = image, list[Tensor]()
        for level, block in enumerate(self.down):
            if level:
                x = F.max_pool2d(x, 2)
            x = block(x)
            skips.append(x)
        skips.pop()
        for step, (shrink, block) in enumerate(zip(self.shrink, self.up, strict=True)):
            x = F.interpolate(shrink(x), scale_factor=2.0, mode="nearest")
            skip = skips.pop()
            if self.gate:
                skip = self.gate[step](skip, x)
            x = block(self.beside(skip, x))
        return self.head(x)  # type: ignore[no-any-return]
