"""Label images as OME-TIFF: uint32, tiled, zlib, with the pixel size of their source."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from beadctl.files import atomic

TILE_PX = 512


@dataclass(frozen=True)
class EncodedMask:
    """A label image in its compressed tiles: a few percent of its size, so that a stack fits in memory."""

    height: int
    width: int
    tiles: tuple[bytes, ...]


def encode(labels: NDArray[np.uint32]) -> EncodedMask:
    """Compress a label image tile by tile.

    Parameters
    ----------
    labels : ndarray of uint32, shape (H, W)
        0 for background; 16 bits would wrap at 65,535 beads.
    """
    height, width = labels.shape
    tiles = []
    for top in range(0, height, TILE_PX):
        for left in range(0, width, TILE_PX):
            part = labels[top : top + TILE_PX, left : left + TILE_PX]
            missing = (TILE_PX - part.shape[0], TILE_PX - part.shape[1])
            tile = np.pad(part, ((0, missing[0]), (0, missing[1]))) if any(missing) else part
            # Level 1: labels are long runs, and higher levels cost more than they save.
            tiles.append(bytes(imagecodecs.zlib_encode(np.ascontiguousarray(tile, "<u4").tobytes(), level=1)))
    return EncodedMask(height, width, tuple(tiles))


def write(path: Path, masks: Sequence[EncodedMask], pixel_size_um: float | None) -> None:
    """Write the label images of a file's planes as one OME-TIFF, whole or not at all.

    Parameters
    ----------
    path : Path
        Where the file shall stand.
    masks : sequence of EncodedMask
        One a plane; equal sizes make one stack, else each plane is an image of the file.
    pixel_size_um : float or None
        Written as ``PhysicalSizeX`` and ``PhysicalSizeY`` where known.
    """
    import tifffile

    shapes = {(mask.height, mask.width) for mask in masks}
    stacks = [list(masks)] if len(shapes) == 1 else [[mask] for mask in masks]
    metadata: dict[str, Any] = {"Channel": {"Name": "labels"}}
    if pixel_size_um is not None:
        metadata |= {
            "PhysicalSizeX": pixel_size_um,
            "PhysicalSizeXUnit": "µm",
            "PhysicalSizeY": pixel_size_um,
            "PhysicalSizeYUnit": "µm",
        }
    with (
        atomic(path) as temporary,
        tifffile.TiffWriter(temporary, ome=True, byteorder="<", bigtiff=_bytes(masks) > 3 * 2**30) as file,
    ):
        for stack in stacks:
            shape = (stack[0].height, stack[0].width)
            file.write(
                iter([tile for mask in stack for tile in mask.tiles]),
                shape=(len(stack), *shape) if len(stack) > 1 else shape,
                dtype=np.uint32,
                tile=(TILE_PX, TILE_PX),
                compression="zlib",
                photometric="minisblack",
                software="beadctl",
                metadata=metadata | {"axes": "ZYX" if len(stack) > 1 else "YX"},
            )


def _bytes(masks: Sequence[EncodedMask]) -> int:
    return sum(len(tile) for mask in masks for tile in mask.tiles)
