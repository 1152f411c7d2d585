"""The pixels of a folder of tiles, in memory where they fit."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from beadctl.dataset.manifest import TileRow
from beadctl.errors import AnnotationError, TrainingError
from beadctl.images import InputName
from beadctl.training.shown import INPUT

# Largest size of decoded tiles to keep; more are decoded again each time.
MEMORY_LIMIT_BYTES = 2 * 1024**3

_Place = tuple[int, np.dtype[Any], tuple[int, ...]]
_Tile = tuple[Path, Path, int, int]


class Tiles(Sequence[tuple[NDArray[np.float32], NDArray[Any]]]):
    """The tiles of one split, as (normalised image float32, labels int32), both (H, W).

    Every tile is decoded once at the start, which finds the broken ones before training; rows may repeat it.
    They are kept where they fit, in their own dtypes and as one block of bytes, which forked workers share:
    nothing is written to it, not even a reference count.

    Parameters
    ----------
    rows, split : sequence of TileRow and str
        The whole manifest, and which tiles to take.
    folder : Path
        For messages.
    name : InputName
        The input of the network, which the tiles are normalised for.

    Raises
    ------
    TrainingError
        If the split has no tiles, or its masks are all empty or all full.
    AnnotationError
        If a tile is missing, broken, or not of the size that the manifest says.
    """

    def __init__(self, rows: Sequence[TileRow], split: str, folder: Path, name: InputName = INPUT) -> None:
        self.input = name
        self.rows = tuple(row for row in rows if row.split == split)
        if not self.rows:
            raise TrainingError(
                f"{folder}: no {split} tiles; give `beadctl tile` more images or another split fraction"
            )
        packed, places = bytearray(), dict[_Tile, tuple[_Place, _Place]]()
        fits, beads, pixels = True, 0, 0
        for tile, row in {_tile(row): row for row in self.rows}.items():
            image, mask = _decoded(row)
            beads, pixels = beads + int(np.count_nonzero(mask)), pixels + mask.size
            if fits:
                start, middle = len(packed), len(packed) + image.nbytes
                places[tile] = (start, image.dtype, image.shape), (middle, mask.dtype, mask.shape)
                packed += image.tobytes() + mask.tobytes()
                fits = len(packed) <= MEMORY_LIMIT_BYTES
        if beads in (0, pixels):
            what = "no bead" if not beads else "nothing but bead"
            raise TrainingError(
                f"{folder}: {what} in the masks of all {split} tiles ({len(self.rows)}); check the masks, "
                "and give `beadctl tile` images with both beads and background"
            )
        self._places = [places[_tile(row)] for row in self.rows] if fits else []
        self._packed = np.frombuffer(bytes(packed) if fits else b"", np.uint8)

    def __len__(self) -> int:
        """Return the number of tiles."""
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        """Return the normalised image and the labels of a tile."""
        row = self.rows[index]
        image, mask = [self._plane(place) for place in self._places[index]] if self._places else _decoded(row)
        return self.input.normalisation(row.levels).scaled(image), mask.astype(np.int32)

    def _plane(self, place: _Place) -> NDArray[Any]:
        start, dtype, shape = place
        count = int(np.prod(shape))
        content: NDArray[Any] = np.frombuffer(self._packed.data, dtype, count, start).reshape(shape)
        return content


def _tile(row: TileRow) -> _Tile:
    """Return what rows that repeat a tile have in common: its files and its size."""
    return row.image, row.mask, row.height, row.width


def _decoded(row: TileRow) -> tuple[NDArray[Any], NDArray[Any]]:
    image, mask = _decode(row.image), _decode(row.mask)
    for path, plane in ((row.image, image), (row.mask, mask)):
        if plane.shape != (row.height, row.width):
            raise AnnotationError(
                f"{path}: is {plane.shape}, the manifest says {(row.height, row.width)}; "
                "write the tiles again with: beadctl tile"
            )
    if mask.dtype.kind not in "ui":
        raise AnnotationError(
            f"{row.mask}: holds {mask.dtype}, not labels; write the tiles again with: beadctl tile"
        )
    return image, mask


def _decode(path: Path) -> NDArray[Any]:
    try:
        return np.asarray(tifffile.imread(path))
    except Exception as error:
        # Each codec has its own exceptions for a broken file.
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise AnnotationError(
            f"{path}: cannot be read ({reason}); write the tiles again with: beadctl tile"
        ) from None
