"""The network: a plain U-Net with two answers per pixel, foreground and seed.

Every layer is convolution, folded-away batch normalisation, pooling or nearest-neighbour resizing, so
an output pixel depends on a bounded neighbourhood of the input and on nothing else. That is what lets
``segment`` cut an image into tiles and get the very pixels of the whole image.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# A head that starts near "no bead anywhere" spends its first steps on beads, not on unlearning a
# grey half-belief over the background (Lin et al., ICCV 2017, section 4.1).
PRIOR = 0.05


@dataclass(frozen=True)
class Architecture:
    """All that is needed to build the network again.

    Attributes
    ----------
    width : int
        Channels of the first level; level i has ``width * 2**i``, up to `max_channels`. Multiples of 16
        run fastest.
    depth : int
        Levels, at least 2. Each further level doubles the stride and about doubles the reach.
    dropout : float
        Chance to drop a whole channel in the two deepest levels while training, 0 to below 1.
    max_channels : int
        Cap on the channels of a level.
    """

    width: int = 16
    depth: int = 4
    dropout: float = 0.1
    max_channels: int = 512

    def __post_init__(self) -> None:
        if self.width < 1 or self.depth < 2 or self.max_channels < self.width or not 0 <= self.dropout < 1:
            raise ValueError(f"impossible network: {self}")

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of each level, finest first."""
        return tuple(min(self.width * 2**level, self.max_channels) for level in range(self.depth))

    @property
    def stride(self) -> int:
        """Height and width of an input must be multiples of this many pixels."""
        return 1 << (self.depth - 1)

    @property
    def reach_px(self) -> int:
        """Largest distance, along an axis, from an output pixel to an input pixel that can change it.

        Pooling makes the answer depend on where the pixel sits in its cell of `stride` pixels, so every
        place is tried and the worst one counts.
        """
        intervals = [(pixel, *self._behind(pixel, pixel)) for pixel in range(self.stride)]
        return max(max(pixel - first, last - pixel) for pixel, first, last in intervals)

    @property
    def halo_px(self) -> int:
        """Context that a tile on the stride's grid needs on each side, a multiple of the stride.

        Somewhat less than the reach: a pixel that reaches further to one side sits on the other side of
        its cell, and a tile on the grid keeps whole cells.
        """
        first, _ = self._behind(0, self.stride - 1)
        return math.ceil(-first / self.stride) * self.stride

    def _behind(self, first: int, last: int) -> tuple[int, int]:
        """Input pixels that output pixels first..last depend on, along an axis.

        The interval is followed back through the network: down the decoder, through the bottom, up the
        encoder. The path through the bottom contains those through the skips.
        """
        for _ in range(self.depth - 1):
            first, last = (first - 2) // 2, (last + 2) // 2  # two 3x3 convolutions, then nearest resize
        first, last = first - 2, last + 2
        for _ in range(self.depth - 1):
            first, last = 2 * first - 2, 2 * last + 1 + 2  # max pooling, then two 3x3 convolutions
        return first, last

    def as_dict(self) -> dict[str, int | float]:
        """Plain values, for a checkpoint or JSON."""
        return asdict(self)


def _block(inputs: int, outputs: int, dropout: float = 0.0) -> nn.Sequential:
    layers: list[nn.Module] = []
    for source in (inputs, outputs):
        # Batch normalisation has its own offset, so a convolution's bias would only be subtracted again.
        layers += [
            nn.Conv2d(source, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(True),
        ]
    if dropout:
        layers.append(nn.Dropout2d(dropout))
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """U-Net (Ronneberger, Fischer, Brox, MICCAI 2015) with same-size convolutions and batch normalisation.

    The way up is a 1x1 convolution followed by nearest-neighbour doubling: cheaper than a transposed
    convolution at inference, and free of its chequerboards.

    Parameters
    ----------
    architecture : Architecture
        Width, depth and dropout.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        channels = architecture.channels
        deep = [architecture.dropout if level >= len(channels) - 2 else 0.0 for level in range(len(channels))]
        self.down = nn.ModuleList(
            _block(source, channels[level], deep[level]) for level, source in enumerate((1, *channels[:-1]))
        )
        levels = range(len(channels) - 2, -1, -1)
        self.shrink = nn.ModuleList(nn.Conv2d(channels[level + 1], channels[level], 1) for level in levels)
        self.up = nn.ModuleList(_block(2 * channels[level], channels[level]) for level in levels)
        self.head = nn.Conv2d(channels[0], 2, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        assert self.head.bias is not None
        nn.init.constant_(self.head.bias, math.log(PRIOR / (1 - PRIOR)))

    @property
    def stride(self) -> int:
        """Height and width of an input must be multiples of this many pixels."""
        return self.architecture.stride

    @property
    def reach_px(self) -> int:
        """Largest distance, along an axis, from an output pixel to an input pixel that can change it."""
        return self.architecture.reach_px

    @property
    def halo_px(self) -> int:
        """Context that a tile on the stride's grid needs on each side, a multiple of the stride."""
        return self.architecture.halo_px

    def forward(self, image: Tensor) -> Tensor:
        """Logits of a batch of normalised images.

        Parameters
        ----------
        image : Tensor
            (N, 1, H, W) float, normalised; H and W multiples of the stride.

        Returns
        -------
        Tensor
            (N, 2, H, W): foreground logit, seed logit.
        """
        skips: list[Tensor] = []
        x = image
        for level, block in enumerate(self.down):
            if level:
                x = F.max_pool2d(x, 2)
            x = block(x)
            skips.append(x)
        skips.pop()
        for shrink, block in zip(self.shrink, self.up, strict=True):
            x = F.interpolate(shrink(x), scale_factor=2.0, mode="nearest")
            x = block(torch.cat((skips.pop(), x), 1))
        return self.head(x)  # type: ignore[no-any-return]
