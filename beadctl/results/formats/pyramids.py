"""Overlays of large planes: RGB OME-TIFF in tiles at several resolutions, of which a viewer loads parts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from beadctl import scratch
from beadctl.files import atomic
from beadctl.images import Plane
from beadctl.results.formats import plane_names
from beadctl.results.formats.overlays import PALETTE, coloured_beads, drawn, grey_range
from beadctl.results.stack_tiff import EncodedPlane, resolution, sizes_um, uuid_of
from beadctl.segmentation.plane import Segmented

TILE_PX = 512
# Of JPEG: outlines stay sharp, and a pixel takes a third to half a byte where the image is noisy.
QUALITY = 90


@dataclass(frozen=True)
class Level:
    """A resolution: every `step`-th row and column of a plane, `height` and `width` of them."""

    step: int
    height: int
    width: int

    @property
    def tiles(self) -> int:
        """Number of its tiles."""
        return -(-self.height // TILE_PX) * -(-self.width // TILE_PX)


def levels_of(height: int, width: int) -> list[Level]:
    """Return the resolutions of a plane: its own, and halved ones down to one that is a tile.

    Examples
    --------
    >>> [(level.step, level.height, level.width) for level in levels_of(1025, 700)]
    [(1, 1025, 700), (2, 513, 350), (4, 257, 175)]
    """
    levels = [Level(1, height, width)]
    while max(levels[-1].height, levels[-1].width) > TILE_PX:
        step = 2 * levels[-1].step
        levels.append(Level(step, -(-height // step), -(-width // step)))
    return levels


def paths(image: PurePosixPath, planes: int) -> list[PurePosixPath]:
    """Return one file a plane."""
    folder = PurePosixPath("pyramids") / image.parent
    return [folder / f"{name}_pyramid.tif" for name in plane_names(image, planes)]


def encode(image: NDArray[Any], segmented: Segmented, plane: Plane) -> EncodedPlane:
    """Paint a plane as its overlay, without a legend, at each resolution, in rows of tiles."""
    colours, _ = coloured_beads(segmented.table)
    labels, inside = segmented.labels, segmented.inside
    greys, segments = grey_range(image), scratch.Pieces()
    for level in levels_of(*image.shape):
        for top in range(0, level.height, TILE_PX):
            bottom = min(top + TILE_PX, level.height)
            # With the row before and the row after, which tell where outlines run.
            first = max(0, top - 1)
            some = np.s_[first * level.step : (bottom + 1) * level.step : level.step, :: level.step]
            counted = None if inside is None else inside[some]
            picture = drawn(image[some], labels[some], counted, greys, colours)
            for tile in _tiles(picture[top - first :][: bottom - top]):
                segments.append(tile)
            scratch.release(image, labels)
    return EncodedPlane(plane, np.dtype(np.uint8), segments)


def _tiles(picture: NDArray[np.uint8]) -> Iterator[bytes]:
    """Yield the tiles of a row of them, JPEG with colours at full resolution; black beyond the plane."""
    for left in range(0, picture.shape[1], TILE_PX):
        part = PALETTE[picture[:, left : left + TILE_PX]]
        missing = [(0, TILE_PX - length) for length in part.shape[:2]]
        tile = np.pad(part, (*missing, (0, 0)))
        yield bytes(imagecodecs.jpeg8_encode(tile, level=QUALITY, colorspace="RGB", subsampling="444"))


def write(paths: Sequence[Path], planes: Sequence[EncodedPlane]) -> None:
    """Write the pyramids as OME-TIFF, each whole or not at all."""
    import tifffile

    for path, part in zip(paths, planes, strict=True):
        plane, tiles = part.plane, iter(part.segments)
        levels = levels_of(plane.height, plane.width)
        layout: dict[str, Any] = {
            "dtype": part.dtype,
            "tile": (TILE_PX, TILE_PX),
            "compression": "jpeg",
            "photometric": "ycbcr",
            "subsampling": (1, 1),
        }
        facts = {"axes": "YXS", "Channel": {"Name": "overlay"}, "UUID": uuid_of([part])}
        with (
            atomic(path) as temporary,
            tifffile.TiffWriter(
                temporary, ome=True, byteorder="<", bigtiff=part.segments.size > 3 * 2**30
            ) as file,
        ):
            for level in levels:
                size_um = plane.pixel_size_um and plane.pixel_size_um * level.step
                whole = level.step == 1
                file.write(
                    islice(tiles, level.tiles),
                    shape=(level.height, level.width, 3),
                    subifds=len(levels) - 1 if whole else None,
                    subfiletype=0 if whole else 1,
                    software="beadctl",
                    metadata=facts | sizes_um(plane.pixel_size_um) if whole else None,
                    **resolution(size_um),
                    **layout,
                )
