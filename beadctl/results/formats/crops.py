"""A gallery of the beads of a plane: a TIFF in which each bead is the middle of a square of the image."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl import scratch
from beadctl.files import atomic
from beadctl.images import Plane
from beadctl.results import stack_tiff
from beadctl.results.formats import plane_names
from beadctl.segmentation.plane import Segmented
from beadctl.segmentation.runs import boxes

# Pixels around the largest bead.
MARGIN_PX = 2
# Of a gallery: with more beads the squares are smaller, and large beads show their middle.
MOST_PX = 2**27


@dataclass(frozen=True)
class Gallery:
    """The beads of a plane.

    Attributes
    ----------
    shape : tuple of int
        Height and width of the gallery, px.
    dtype : numpy.dtype
        That of the image.
    segments : Pieces
        Squares of the image in the order of the beads' numbers, row by row; see `stack_tiff.compressed`.
    edge_px, columns, beads : int
        Edge of a square, squares in a row, and number of beads.
    pixel_size_um : float or None
        Edge of a pixel.
    """

    shape: tuple[int, int]
    dtype: np.dtype[Any]
    segments: scratch.Pieces
    edge_px: int
    columns: int
    beads: int
    pixel_size_um: float | None


def paths(image: PurePosixPath, planes: int) -> list[PurePosixPath]:
    """Return one gallery a plane."""
    folder = PurePosixPath("crops") / image.parent
    return [folder / f"{name}_crops.tif" for name in plane_names(image, planes)]


def encode(image: NDArray[Any], segmented: Segmented, plane: Plane) -> Gallery:
    """Cut the beads out of a plane.

    A square shows what is around its bead too; beyond the border of the image it is 0. Without beads the
    gallery is one square of one pixel.
    """
    found = boxes(segmented.labels, segmented.table.label)
    extent = max((max(y.stop - y.start, x.stop - x.start) for y, x in found), default=1 - 2 * MARGIN_PX)
    edge = min(extent + 2 * MARGIN_PX, math.isqrt(MOST_PX // max(1, len(found))))
    columns = max(1, math.ceil(math.sqrt(len(found))))
    rows = max(1, -(-len(found) // columns))
    dtype = np.dtype(np.uint8) if image.dtype == bool else image.dtype.newbyteorder("<")
    pixels = scratch.zeros((rows * edge, columns * edge), dtype)
    for place, (y, x) in enumerate(scratch.released(found, image, pixels)):
        top, left = (edge * at for at in divmod(place, columns))
        across = _overlap(y, edge, image.shape[0])
        along = _overlap(x, edge, image.shape[1])
        part = image[across[0], along[0]]
        pixels[top : top + edge, left : left + edge][across[1], along[1]] = part
    segments = stack_tiff.compressed(pixels)
    return Gallery(pixels.shape, dtype, segments, edge, columns, len(found), plane.pixel_size_um)


def write(paths: Sequence[Path], planes: Sequence[Gallery]) -> None:
    """Write the galleries as TIFF, zlib, each whole or not at all; the description names the squares."""
    import tifffile

    for path, gallery in zip(paths, planes, strict=True):
        scale = dict[str, Any]()
        if size := gallery.pixel_size_um:
            scale = {"resolution": (1e4 / size, 1e4 / size), "resolutionunit": "CENTIMETER"}
        facts = {"beads": gallery.beads, "columns": gallery.columns, "square_px": gallery.edge_px}
        with atomic(path) as temporary, tifffile.TiffWriter(temporary, byteorder="<") as file:
            file.write(
                iter(gallery.segments),
                shape=gallery.shape,
                dtype=gallery.dtype,
                compression="zlib",
                photometric="minisblack",
                software="beadctl",
                metadata=facts,
                **scale,
                **stack_tiff.layout(*gallery.shape),
            )


def _overlap(box: slice, edge: int, length: int) -> tuple[slice, slice]:
    """Return where a square around the middle of a bead lies in the image, and this part in the square."""
    start = (box.start + box.stop - edge) // 2
    first, last = max(0, start), min(length, start + edge)
    return slice(first, last), slice(first - start, last - start)
