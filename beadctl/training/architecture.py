"""The architecture of a network in a few numbers, and its receptive field; without torch."""

import math
from dataclasses import asdict, dataclass

from beadctl.training.choices import ArchName


@dataclass(frozen=True)
class Architecture:
    """All numbers that define a `UNet`.

    Attributes
    ----------
    width : int
        Channels of the first level; level i has ``width * 2**i``, up to `max_channels`. Multiples of 16
        run fastest.
    depth : int
        Levels, at least 2. Each further level doubles the stride and about doubles the receptive field.
    dropout : float
        Probability of dropping a channel in the two deepest levels while training, 0 to below 1.
    max_channels : int
        Cap on the channels of a level.
    kind : str
        One of `ArchName`. It changes neither the stride nor the reach.
    dilation : int
        Of the deepest level's second convolution, at least 1; more widens the receptive field.
    inputs : int
        Channels of the input.
    """

    width: int = 16
    depth: int = 4
    dropout: float = 0.1
    max_channels: int = 512
    kind: str = ArchName.UNET.value
    dilation: int = 1
    inputs: int = 1

    def __post_init__(self) -> None:
        impossible = (
            self.width < 1
            or self.depth < 2
            or self.max_channels < self.width
            or not 0 <= self.dropout < 1
            or self.kind not in [*ArchName]
            or self.dilation < 1
            or self.inputs < 1
        )
        if impossible:
            raise ValueError(f"impossible network: {self}")

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of each level, finest first."""
        return tuple(min(self.width * 2**level, self.max_channels) for level in range(self.depth))

    @property
    def stride(self) -> int:
        """What height and width of an input are multiples of, px."""
        return 1 << (self.depth - 1)

    @property
    def reach_px(self) -> int:
        """Largest distance, along an axis, from an output pixel to an input pixel that can change it.

        It depends on the pixel's phase in its pooling cell of `stride` pixels; this is the maximum.
        """
        intervals = [(pixel, *self._behind(pixel, pixel)) for pixel in range(self.stride)]
        return max(max(pixel - first, last - pixel) for pixel, first, last in intervals)

    @property
    def halo_px(self) -> int:
        """Context that a tile on the stride's grid needs on each side, a multiple of the stride.

        It is less than the reach: a pixel that reaches further to the left lies at the right of its cell.
        """
        first, _ = self._behind(0, self.stride - 1)
        return math.ceil(-first / self.stride) * self.stride

    def _behind(self, first: int, last: int) -> tuple[int, int]:
        """Return the interval of input pixels that output pixels first..last depend on, along an axis.

        The path through the bottom level contains those through the skips, and the two convolutions of a
        block contain its shortcut. Dilation leaves gaps inside the interval; its ends are exact.
        """
        for _ in range(self.depth - 1):
            first, last = (first - 2) // 2, (last + 2) // 2  # two 3x3 convolutions, then nearest resize
        first, last = first - 1 - self.dilation, last + 1 + self.dilation
        for _ in range(self.depth - 1):
            first, last = 2 * first - 2, 2 * last + 1 + 2  # max pooling, then two 3x3 convolutions
        return first, last

    def as_dict(self) -> dict[str, int | float | str]:
        """Plain values, for a checkpoint or JSON."""
        # A member of a StrEnum is a str too, but reading a checkpoint admits no classes.
        return asdict(self) | {"kind": str(self.kind)}
