"""Windows on the network's grid, each with the halo that makes the result seamless.

A fully convolutional network with folded batch normalisation gives each output pixel from its
receptive field alone. A block that is read with a halo at least that wide, and whose origin is a
multiple of the stride, therefore gives in its core exactly what the whole image gives. At the image's
own border there is no halo: the network pads there with nothing, as it does at the border of every
sample that it was trained on, and a bead that the border cuts is one that it has met. A mirror image
would be a bead that no camera ever saw; it only fills the last stride, to the right and below.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.images import Pixels, Window


@dataclass(frozen=True)
class Block:
    """A part of a plane: what is kept of it, and what is read for it.

    Attributes
    ----------
    core : Window
        The part of the plane that the block answers for; the cores of a plane tile it.
    top, left : int
        Origin of the block with its halo, px.
    height, width : int
        Size of the block with its halo, px: multiples of the stride.
    """

    core: Window
    top: int
    left: int
    height: int
    width: int

    @property
    def crop(self) -> tuple[slice, slice]:
        """Where the core lies within the block."""
        y, x = self.core.top - self.top, self.core.left - self.left
        return slice(y, y + self.core.height), slice(x, x + self.core.width)


def blocks(
    height: int, width: int, window: Window | None = None, *, tile_size: int, halo: int, stride: int
) -> Iterator[Block]:
    """Yield the blocks of a plane, or of a window of it, in raster order.

    Parameters
    ----------
    height, width : int
        Size of the plane, px.
    window : Window, optional
        The part that the cores cover, its origin on a multiple of the stride; by default the whole plane.
    tile_size : int
        Edge of a core, px, rounded up to the stride; 0 for one block over the whole window.
    halo : int
        Context on each side, px, rounded up to the stride.
    stride : int
        The network's stride, px.

    Yields
    ------
    Block
        Origins and sizes are multiples of `stride`.
    """
    halo = _up(halo, stride)
    whole_height, whole_width = _up(height, stride), _up(width, stride)
    window = window or Window(0, 0, height, width)
    if window.top % stride or window.left % stride:
        raise ValueError(f"{window} does not begin on a multiple of the stride, {stride} px")
    bottom, right = window.top + window.height, window.left + window.width
    tile_height = _up(tile_size or window.height, stride)
    tile_width = _up(tile_size or window.width, stride)
    for top in range(window.top, bottom, tile_height):
        for left in range(window.left, right, tile_width):
            core = Window(top, left, min(tile_height, bottom - top), min(tile_width, right - left))
            first_row, first_column = max(0, top - halo), max(0, left - halo)
            yield Block(
                core,
                first_row,
                first_column,
                min(whole_height, top + tile_height + halo) - first_row,
                min(whole_width, left + tile_width + halo) - first_column,
            )


def read_reflected(pixels: Pixels, block: Block) -> NDArray[Any]:
    """Read a block with its halo, reflected at the plane's right and lower border.

    Parameters
    ----------
    pixels : Pixels
        An opened plane.
    block : Block
        What to read; it may reach beyond the plane by any number of pixels.

    Returns
    -------
    ndarray, shape (block.height, block.width)
        In the plane's own dtype.
    """
    rows = _reflected(block.top, block.height, pixels.height)
    columns = _reflected(block.left, block.width, pixels.width)
    top, left = int(rows.min()), int(columns.min())
    window = Window(top, left, int(rows.max()) - top + 1, int(columns.max()) - left + 1)
    part = pixels.read(window)
    if window == Window(block.top, block.left, block.height, block.width):
        return part
    result: NDArray[Any] = part[(rows - top)[:, None], (columns - left)[None, :]]
    return result


def _up(length: int, stride: int) -> int:
    return -(-length // stride) * stride


def _reflected(start: int, length: int, size: int) -> NDArray[np.intp]:
    """Return the indices of a reflection without repeated edge (numpy's ``reflect``) to any distance."""
    period = max(2 * size - 2, 1)
    index = np.arange(start, start + length) % period
    return np.where(index < size, index, period - index)
