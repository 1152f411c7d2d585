"""Label images as OME-TIFF: uint32, zlib, with pixel size; in strips, which ImageJ opens too."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from beadctl.files import atomic
from beadctl.images import Plane
from beadctl.results.formats import stem
from beadctl.segmentation.plane import Segmented

# Planes with more pixels are written in tiles, which are read by windows; ImageJ opens strips only.
STRIPS_PX = 2**26
STRIP_PX = 2**18
TILE_PX = 512


@dataclass(frozen=True)
class EncodedMask:
    """A label image in compressed strips or tiles: a few percent of its size, so that a stack fits in memory.

    Attributes
    ----------
    plane : Plane
        The plane that it is of: size, position in the stack and pixel size.
    segments : tuple of bytes
        Strips or tiles in raster order, uint32 little-endian, zlib.
    """

    plane: Plane
    segments: tuple[bytes, ...]


def paths(image: PurePosixPath, planes: int) -> list[PurePosixPath]:
    """Return one file for all planes of an image."""
    del planes
    return [PurePosixPath("masks") / image.parent / f"{stem(image)}_masks.tif"]


def encode(image: NDArray[Any], segmented: Segmented, plane: Plane) -> EncodedMask:
    """Compress a label image: uint32, because 16 bits would wrap at 65,535 beads."""
    del image
    labels = segmented.labels
    tall, wide = _segment_shape(*labels.shape)
    tiled = "tile" in _layout(*labels.shape)
    segments = []
    for top in range(0, labels.shape[0], tall):
        for left in range(0, labels.shape[1], wide):
            part = labels[top : top + tall, left : left + wide]
            if tiled:
                part = np.pad(part, ((0, tall - part.shape[0]), (0, wide - part.shape[1])))
            # Level 1: labels are long runs, and higher levels cost more than they save.
            segments.append(
                bytes(imagecodecs.zlib_encode(np.ascontiguousarray(part, "<u4").tobytes(), level=1))
            )
    return EncodedMask(plane, tuple(segments))


def write(paths: Sequence[Path], planes: Sequence[EncodedMask]) -> None:
    """Write the label images of an image's planes as one OME-TIFF, whole or not at all.

    Planes of equal size make one stack with the axes of their source, else each plane is an image of the
    file. The pixel size is written as OME metadata and as the resolution of TIFF, where known.
    """
    import tifffile

    (path,) = paths
    shapes = {(mask.plane.height, mask.plane.width) for mask in planes}
    stacks = [list(planes)] if len(shapes) == 1 else [[mask] for mask in planes]
    size = sum(len(segment) for mask in planes for segment in mask.segments)
    with (
        atomic(path) as temporary,
        tifffile.TiffWriter(temporary, ome=True, byteorder="<", bigtiff=size > 3 * 2**30) as file,
    ):
        for stack in stacks:
            plane = stack[0].plane
            axes, lengths = _stack_axes([mask.plane.position for mask in stack])
            file.write(
                iter([segment for mask in stack for segment in mask.segments]),
                shape=(*lengths, plane.height, plane.width),
                dtype=np.uint32,
                compression="zlib",
                photometric="minisblack",
                software="beadctl",
                metadata={"Channel": {"Name": "labels"}, "axes": f"{axes}YX"} | _sizes(plane.pixel_size_um),
                **_resolution(plane.pixel_size_um),
                **_layout(plane.height, plane.width),
            )


def _segment_shape(height: int, width: int) -> tuple[int, int]:
    """Return height and width of a strip or tile, px."""
    if height * width > STRIPS_PX:
        return TILE_PX, TILE_PX
    return max(1, STRIP_PX // width), width


def _layout(height: int, width: int) -> dict[str, Any]:
    """Return how tifffile lays a plane out."""
    tall, wide = _segment_shape(height, width)
    return {"tile": (tall, wide)} if height * width > STRIPS_PX else {"rowsperstrip": tall}


def _stack_axes(positions: Sequence[str]) -> tuple[str, tuple[int, ...]]:
    """Return the axes of a stack, T, Z and C as in its source, and their lengths; none for one plane."""
    if len(positions) == 1:
        return "", ()
    named = [dict(part.split("=") for part in position.split()) for position in positions]
    axes = "".join(named[0])
    lengths = tuple(len({position[axis] for position in named if axis in position}) for axis in axes)
    if axes and set(axes) <= set("TZC") and np.prod(lengths) == len(positions):
        return axes, lengths
    return "Z", (len(positions),)


def _sizes(pixel_size_um: float | None) -> dict[str, Any]:
    if pixel_size_um is None:
        return {}
    return {f"PhysicalSize{axis}": pixel_size_um for axis in "XY"} | {
        f"PhysicalSize{axis}Unit": "µm" for axis in "XY"
    }


def _resolution(pixel_size_um: float | None) -> dict[str, Any]:
    """Return the resolution tags, pixels per centimetre, that ImageJ reads."""
    if pixel_size_um is None:
        return {}
    return {"resolution": (1e4 / pixel_size_um, 1e4 / pixel_size_um), "resolutionunit": "CENTIMETER"}
