"""Planes of an image as one OME-TIFF: zlib, with pixel size; in strips, which ImageJ opens too."""

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from math import prod
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from beadctl import scratch
from beadctl.files import atomic
from beadctl.images import Plane
from beadctl.images.tiff_write import IMAGEJ_VERSION

# Planes with more pixels are written in tiles, which are read by windows; ImageJ opens strips only.
STRIPS_PX = 2**26
STRIP_PX = 2**18
TILE_PX = 512
IMAGE_DESCRIPTION_TAG = 270
# The next number (Make), so that the tags stay sorted when it is renamed.
PLACEHOLDER_TAG = 271


@dataclass(frozen=True)
class EncodedPlane:
    """What is written of a plane in compressed strips or tiles: a few percent of its size for label images.

    Attributes
    ----------
    plane : Plane
        The plane that it is of: size, position in the stack and pixel size.
    dtype : numpy.dtype
        Of its values.
    segments : Pieces
        Strips or tiles in raster order, little-endian, zlib; a file where they are many.
    """

    plane: Plane
    dtype: np.dtype[Any]
    segments: scratch.Pieces


def encoded(values: NDArray[Any], plane: Plane) -> EncodedPlane:
    """Compress an array of a plane's size, shape (H, W)."""
    return EncodedPlane(plane, values.dtype.newbyteorder("<"), compressed(values))


def compressed(values: NDArray[Any]) -> scratch.Pieces:
    """Return the strips or tiles of an array, shape (H, W), in raster order: little-endian, zlib."""
    tall, wide = _segment_shape(*values.shape)
    tiled = "tile" in layout(*values.shape)
    dtype = values.dtype.newbyteorder("<")
    segments = scratch.Pieces()
    for top in range(0, values.shape[0], tall):
        for left in range(0, values.shape[1], wide):
            part = values[top : top + tall, left : left + wide]
            if tiled:
                part = np.pad(part, ((0, tall - part.shape[0]), (0, wide - part.shape[1])))
            # Level 1: labels are long runs, and higher levels cost more than they save.
            content = np.ascontiguousarray(part, dtype).tobytes()
            segments.append(bytes(imagecodecs.zlib_encode(content, level=1)))
        scratch.release(values)
    return segments


def axes_of(plane: Plane) -> dict[str, str]:
    """Return the place of a plane in its stack, by axis: ``{"T": "0", "Z": "3"}``."""
    return dict(part.split("=") for part in plane.position.split())


@dataclass(frozen=True)
class _Stack:
    """Planes that make one image of the file.

    Attributes
    ----------
    planes : tuple of EncodedPlane
        The planes in stored order.
    axes : str
        Axes other than Y and X, T, Z and C as in the source; empty for one plane.
    lengths : tuple of int
        Lengths of those axes.
    z_step_um : float or None
        Distance between planes along Z, um; None if unknown or not the same everywhere.
    """

    planes: tuple[EncodedPlane, ...]
    axes: str
    lengths: tuple[int, ...]
    z_step_um: float | None


def write(path: Path, planes: Sequence[EncodedPlane], channel: str) -> None:
    """Write what was made of an image's planes as one OME-TIFF, whole or not at all.

    Planes of one series and equal size make one stack with the axes of their source; others are further
    images of the file. Pixel size and Z step are written as OME metadata, and as ImageJ reads them: the
    resolution of TIFF, and for a stack a second ImageDescription. ImageJ uses the last of them; libtiff,
    Bio-Formats (QuPath) and tifffile the first, which is OME's.

    Parameters
    ----------
    path, planes : Path and sequence of EncodedPlane
        The file, and its planes in stored order, of one dtype.
    channel : str
        Name of what the values are.
    """
    import tifffile

    stacks = [_stack(list(group)) for _, group in groupby(planes, key=_image_of)]
    size = sum(part.segments.size for part in planes)
    imagej = _imagej_description(stacks[0]) if len(stacks) == 1 else ""
    facts: dict[str, Any] = {"Channel": {"Name": channel}, "UUID": uuid_of(planes)}
    with atomic(path) as temporary:
        with tifffile.TiffWriter(temporary, ome=True, byteorder="<", bigtiff=size > 3 * 2**30) as file:
            for stack in stacks:
                plane = stack.planes[0].plane
                file.write(
                    chain.from_iterable(part.segments for part in stack.planes),
                    shape=(*stack.lengths, plane.height, plane.width),
                    dtype=planes[0].dtype,
                    compression="zlib",
                    photometric="minisblack",
                    software="beadctl",
                    metadata=facts
                    | {"axes": f"{stack.axes}YX"}
                    | sizes_um(plane.pixel_size_um, stack.z_step_um),
                    extratags=[(PLACEHOLDER_TAG, 2, 0, imagej, True)] if imagej else [],
                    **resolution(plane.pixel_size_um, of_imagej=bool(imagej)),
                    **layout(plane.height, plane.width),
                )
        if imagej:
            _rename_placeholder(temporary)


def uuid_of(planes: Sequence[EncodedPlane]) -> str:
    """Return an identifier made of the values: equal files for equal values, on any host at any time."""
    content = hashlib.sha256()
    for part in planes:
        for segment in part.segments:
            content.update(segment)
    return str(uuid.UUID(bytes=content.digest()[:16], version=5))


def _segment_shape(height: int, width: int) -> tuple[int, int]:
    """Return height and width of a strip or tile, px."""
    if height * width > STRIPS_PX:
        return TILE_PX, TILE_PX
    return max(1, STRIP_PX // width), width


def layout(height: int, width: int) -> dict[str, Any]:
    """Return how tifffile lays the segments of `compressed` out."""
    tall, wide = _segment_shape(height, width)
    return {"tile": (tall, wide)} if height * width > STRIPS_PX else {"rowsperstrip": tall}


def _image_of(part: EncodedPlane) -> tuple[object, ...]:
    """Return what planes of one stack have in common."""
    plane = part.plane
    return axes_of(plane).get("series"), plane.height, plane.width, plane.pixel_size_um, plane.z_step_um


def _stack(parts: Sequence[EncodedPlane]) -> _Stack:
    """Return a stack with the axes of its source, or along Z where they are unnamed or planes are missing."""
    planes, z_step_um = tuple(parts), parts[0].plane.z_step_um
    if len(planes) == 1:
        return _Stack(planes, "", (), z_step_um)
    positions = [axes_of(part.plane) for part in planes]
    axes = "".join(axis for axis in positions[0] if axis != "series")
    numbers = {axis: sorted({int(position.get(axis, 0)) for position in positions}) for axis in axes}
    lengths = tuple(len(numbers[axis]) for axis in axes)
    complete = bool(axes) and prod(lengths) == len(planes)
    z = numbers.get("Z") or numbers.get("I") or [0]
    if not complete or z[-1] - z[0] >= len(z):
        z_step_um = None
    if complete and set(axes) <= set("TZC"):
        return _Stack(planes, axes, lengths, z_step_um)
    return _Stack(planes, "Z", (len(planes),), z_step_um if axes == "I" else None)


def sizes_um(pixel_size_um: float | None, z_step_um: float | None = None) -> dict[str, Any]:
    """Return the size of a pixel, and the distance between planes, as OME metadata; of what is known."""
    um = {"X": pixel_size_um, "Y": pixel_size_um, "Z": z_step_um}
    known = {f"PhysicalSize{axis}": size for axis, size in um.items() if size is not None}
    return known | {f"{name}Unit": "µm" for name in known}


def resolution(pixel_size_um: float | None, *, of_imagej: bool = False) -> dict[str, Any]:
    """Return the resolution tags: pixels per centimetre, or per um, the unit in ImageJ's description."""
    if pixel_size_um is None:
        return {}
    per_unit = (1 if of_imagej else 1e4) / pixel_size_um
    return {"resolution": (per_unit, per_unit), "resolutionunit": "NONE" if of_imagej else "CENTIMETER"}


def _imagej_description(stack: _Stack) -> str:
    """Return ImageJ's description of a stack, or "" for one plane and for an order that ImageJ has not."""
    sizes = dict(zip(stack.axes, stack.lengths, strict=True))
    if not sizes or stack.axes != "".join(axis for axis in "TZC" if axis in sizes):
        return ""
    names = {"C": "channels", "Z": "slices", "T": "frames"}
    lines = [f"ImageJ={IMAGEJ_VERSION}", f"images={len(stack.planes)}"]
    lines += [f"{name}={sizes[axis]}" for axis, name in names.items() if axis in sizes]
    lines.append(f"hyperstack={str(stack.axes != 'Z').lower()}")
    if stack.planes[0].plane.pixel_size_um is not None:
        # One unit is that of all axes.
        lines += ["unit=um"] + [f"spacing={stack.z_step_um!r}"] * (stack.z_step_um is not None)
    return "\n".join([*lines, "loop=false", ""])


def _rename_placeholder(path: Path) -> None:
    """Make the placeholder the second ImageDescription, which tifffile does not write beside OME's."""
    import tifffile

    with tifffile.TiffFile(path, mode="r+") as file:
        file.filehandle.seek(file.pages.first.tags[PLACEHOLDER_TAG].offset)
        file.filehandle.write(IMAGE_DESCRIPTION_TAG.to_bytes(2, "little"))
