"""Label images as OME-TIFF: uint32, tiled, zlib, with the pixel size of their source."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from beadctl.files import atomic
from beadctl.results.formats import stem
from beadctl.segmentation.plane import Segmented

TILE_PX = 512


@dataclass(frozen=True)
class EncodedMask:
    """A label image in compressed tiles: a few percent of its size, so that a stack fits in memory.

    Attributes
    ----------
    height, width, pixel_size_um : int and float or None
        Size of the plane, px, and edge of a pixel, um, where known.
    tiles : tuple of bytes
        Its tiles of 512 x 512 px in raster order, uint32 little-endian, zlib.
    """

    height: int
    width: int
    tiles: tuple[bytes, ...]
    pixel_size_um: float | None


def paths(image: PurePosixPath, planes: int) -> list[PurePosixPath]:
    """Return one file for all planes of an image."""
    del planes
    return [PurePosixPath("masks") / image.parent / f"{stem(image)}_masks.tif"]


def encode(image: NDArray[Any], segmented: Segmented, pixel_size_um: float | None) -> EncodedMask:
    """Compress a label image tile by tile: uint32, because 16 bits would wrap at 65,535 beads."""
    del image
    labels = segmented.labels
    height, width = labels.shape
    tiles = []
    for top in range(0, height, TILE_PX):
        for left in range(0, width, TILE_PX):
            part = labels[top : top + TILE_PX, left : left + TILE_PX]
            missing = (TILE_PX - part.shape[0], TILE_PX - part.shape[1])
            tile = np.pad(part, ((0, missing[0]), (0, missing[1]))) if any(missing) else part
            # Level 1: labels are long runs, and higher levels cost more than they save.
            tiles.append(bytes(imagecodecs.zlib_encode(np.ascontiguousarray(tile, "<u4").tobytes(), level=1)))
    return EncodedMask(height, width, tuple(tiles), pixel_size_um)


def write(paths: Sequence[Path], planes: Sequence[EncodedMask]) -> None:
    """Write the label images of an image's planes as one OME-TIFF, whole or not at all.

    Planes of equal size make one stack, else each plane is an image of the file. The pixel size is written as
    ``PhysicalSizeX`` and ``PhysicalSizeY`` where known.
    """
    import tifffile

    (path,) = paths
    shapes = {(mask.height, mask.width) for mask in planes}
    stacks = [list(planes)] if len(shapes) == 1 else [[mask] for mask in planes]
    pixel_size_um = planes[0].pixel_size_um
    metadata: dict[str, Any] = {"Channel": {"Name": "labels"}}
    if pixel_size_um is not None:
        for axis in "XY":
            metadata |= {f"PhysicalSize{axis}": pixel_size_um, f"PhysicalSize{axis}Unit": "µm"}
    size = sum(len(tile) for mask in planes for tile in mask.tiles)
    with (
        atomic(path) as temporary,
        tifffile.TiffWriter(temporary, ome=True, byteorder="<", bigtiff=size > 3 * 2**30) as file,
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
