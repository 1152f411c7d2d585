"""The shape of a network in a few numbers, and the reach that follows from them.

Nothing here imports torch, so settings and documentation may list the kinds for free.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from beadctl.training.choices import ArchName


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
    kind : str
        One of `ArchName`. It changes neither the stride nor the reach.
    dilation : int
        Spacing of the taps of the deepest level's second convolution, at least 1; more than 1 widens
        the reach without a further level.
    """

    width: int = 16
    depth: int = 4
    dropout: float = 0.1
    max_channels: int = 512
    kind: str = ArchName.UNET.value
    dilation: int = 1

    def __post_init__(self) -> None:
        impossible = (
            self.width < 1
            or self.depth < 2
            or self.max_channels < self.width
            or not 0 <= self.dropout < 1
            or self.kind not in [*ArchName]
            or self.dilation < 1
        )
        if impossible:
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
        encoder. The path through the bottom contains those through the skips, and the two convolutions
        of a block contain its shortcut. A dilated convolution leaves gaps inside the interval, but its
        ends are exact, and only they matter here.
        """
        for _ in range(self.depth - 1):
            first, last = (first - 2) // 2, (last + 2) // 2  # two 3x3 convolutions, then nearest resize
        first, last = first - 1 - self.dilation, last + 1 + self.dilation
        for _ in range(self.depth - 1):
            first, last = 2 * first - 2, 2 * last + 1 + 2  # max pooling, then two 3x3 convolutions
        return first, last

    def as_dict(self) -> dict[str, int | float | str]:
        """Plain values, for a checkpoint or JSON."""
        # A member of `ArchName` is a str too, but no checkpoint reader would know its class.
        return asdict(self) | {"kind": str(self.kind)}
