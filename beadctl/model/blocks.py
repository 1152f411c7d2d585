"""Blocks of a plane on the network's grid, each with the halo that makes the result seamless.

A block that is read with a halo at least as wide as the network's receptive field, with its origin on a
multiple of the stride, gives in its core exactly what the whole plane gives. At the border of the plane the
network pads with zeros, as for training tiles; only what completes the stride is filled by reflection.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from beadctl.images import Window

T = TypeVar("T")


@dataclass(frozen=True)
class Block:
    """The part of a plane that one run of the network reads, and the core that is kept of the result.

    Attributes
    ----------
    core : Window
        The part of the plane that is kept; the cores of a plane tile it.
    top, left, height, width : int
        Origin and size of the block with its halo, px: multiples of the stride.
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
    """Yield the blocks of a plane, or of a window of it, in raster order, on multiples of the stride.

    Parameters
    ----------
    height, width : int
        Size of the plane, px.
    window : Window, optional
        The part that the cores cover, its origin on a multiple of the stride; by default the whole plane.
    tile_size, halo : int
        Edge of a core, and context on each side, px, rounded up to the stride; a tile size of 0 gives one
        block over the whole window.
    stride : int
        The network's stride, px.

    Raises
    ------
    ValueError
        If the origin of the window is not on a multiple of the stride.
    """
    halo = _round_up(halo, stride)
    padded_height, padded_width = _round_up(height, stride), _round_up(width, stride)
    window = window or Window(0, 0, height, width)
    if window.top % stride or window.left % stride:
        raise ValueError(f"{window} does not begin on a multiple of the stride, {stride} px")
    tile_height = _round_up(tile_size or window.height, stride)
    tile_width = _round_up(tile_size or window.width, stride)
    for top in range(window.top, window.bottom, tile_height):
        for left in range(window.left, window.right, tile_width):
            rows, columns = min(tile_height, window.bottom - top), min(tile_width, window.right - left)
            first_row, first_column = max(0, top - halo), max(0, left - halo)
            yield Block(
                Window(top, left, rows, columns),
                first_row,
                first_column,
                min(padded_height, top + tile_height + halo) - first_row,
                min(padded_width, left + tile_width + halo) - first_column,
            )


def read_reflected(
    block: Block, height: int, width: int, read: Callable[[Window], NDArray[Any]]
) -> NDArray[Any]:
    """Return a block with its halo, (..., block.height, block.width).

    Parameters
    ----------
    block : Block
        What to read; pixels beyond the plane, by any number, are reflected at its borders.
    height, width : int
        Size of the plane, px.
    read : callable
        Returns a window that lies inside the plane, (..., height, width).
    """
    rows = _reflected(block.top, block.height, height)
    columns = _reflected(block.left, block.width, width)
    top, left = int(rows.min()), int(columns.min())
    window = Window(top, left, int(rows.max()) - top + 1, int(columns.max()) - left + 1)
    part = read(window)
    if window == Window(block.top, block.left, block.height, block.width):
        return part
    result: NDArray[Any] = part[..., (rows - top)[:, None], (columns - left)[None, :]]
    return result


def read_ahead(todo: Iterable[Block], read: Callable[[Block], T]) -> Iterator[tuple[Block, T]]:
    """Yield each block with what is read of it; a thread reads the next one meanwhile.

    Parameters
    ----------
    todo : iterable of Block
        In the order in which they are read; none is read while another is.
    read : callable
        What it raises is raised in the turn of its block.

    Examples
    --------
    >>> some = blocks(64, 64, tile_size=32, halo=16, stride=16)
    >>> [rows for _, rows in read_ahead(some, lambda block: block.height)]
    [48, 48, 48, 48]
    """
    later = iter(todo)
    for block in later:
        found = read(block)
        # No thread starts for one block alone.
        with ThreadPoolExecutor(1, "read") as reader:
            for following in later:
                coming = reader.submit(read, following)
                yield block, found
                block, found = following, coming.result()
        yield block, found


def _round_up(length: int, stride: int) -> int:
    return -(-length // stride) * stride


def _reflected(start: int, length: int, size: int) -> NDArray[np.intp]:
    """Return the indices of a reflection without repeated edge (numpy's ``reflect``) to any distance."""
    period = max(2 * size - 2, 1)
    index = np.arange(start, start + length) % period
    return np.where(index < size, index, period - index)
