"""Zeiss CZI files, by czifile: planes are composed of tiles (sub-blocks), of which a window reads its own."""

import contextlib
import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from beadctl.errors import ImageError
from beadctl.images.decoded_size import check_decoded_size
from beadctl.images.extra import quieten
from beadctl.images.failure import damaged, failures
from beadctl.images.frames import Frames, named
from beadctl.images.limits import Limits
from beadctl.images.pixel_size import Spacing, spacing_of
from beadctl.images.series import Photometric, Series, SeriesFacts
from beadctl.images.tiff_page import CACHE_BYTES
from beadctl.images.window import Window

STACK_AXES = "VIRHBTZC"
"""Dimensions of a CZI file that are axes of a series, outermost first; S is a scene, M a tile of a plane."""

MOST_FRAMES_A_TILE = 1000
"""A file that claims more planes for each tile that it has is damaged."""

MOST_CELLS = 2**24
"""Tiles whose edges make a grid of more cells are not searched for gaps between overlaps."""

SAMPLES = {
    "<u1": 1, "<u2": 1, "<f4": 1, "<i4": 1, "<3u1": 3, "<3u2": 3, "<3f4": 3, "<4u1": 4,
}  # fmt: skip
"""Samples of a pixel by czifile's name of its type; the others are complex numbers."""

ZSTD_0, ZSTD_1 = 5, 6
_RGB_OF_BGR = [2, 1, 0, 3]


@dataclass(frozen=True)
class _Tile:
    """A sub-block: the position of its segment in the file, and its place in the plane, px."""

    position: int
    place: Window


@dataclass(frozen=True)
class _CziFile:
    """The tiles of each frame of a scene, in the order in which they overlay each other."""

    path: Path
    dtype: np.dtype[Any]
    samples: int
    tiles: tuple[tuple[_Tile, ...], ...] = field(repr=False)

    @contextlib.contextmanager
    def open(self) -> Iterator["_CziReader"]:
        with _opened(self.path) as czi:
            yield _CziReader(self, czi)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a file with czifile, which leaves a file that it opens itself open if its header is damaged."""
    from czifile import CziFile

    quieten()
    with failures(path):
        file = path.open("rb")
    with file:
        with failures(path):
            czi = CziFile(file, multifile=False)
        yield czi


class _CziReader:
    def __init__(self, file: _CziFile, czi: Any) -> None:
        self._file = file
        largest = max((t.place.height * t.place.width for tiles in file.tiles for t in tiles), default=1)
        cached = max(1, CACHE_BYTES // (largest * file.samples * file.dtype.itemsize))
        self._pixels: Callable[[_Tile], NDArray[Any]] = lru_cache(cached)(lambda t: _decoded(file, czi, t))

    def box(self, frame: int, window: Window) -> NDArray[Any]:
        file = self._file
        box = np.zeros((window.height, window.width, file.samples), file.dtype)
        for tile in file.tiles[frame]:
            place = tile.place
            y0, y1 = max(window.top, place.top), min(window.bottom, place.bottom)
            x0, x1 = max(window.left, place.left), min(window.right, place.right)
            if y0 < y1 and x0 < x1:
                box[y0 - window.top : y1 - window.top, x0 - window.left : x1 - window.left] = self._pixels(
                    tile
                )[y0 - place.top : y1 - place.top, x0 - place.left : x1 - place.left]
        return box


def _decoded(file: _CziFile, czi: Any, tile: _Tile) -> NDArray[Any]:
    """Return the pixels of a tile, axes Y, X, sample in the order red, green, blue."""
    from czifile import Segment
    from czifile.czifile import SubBlockSegment

    shape = tile.place.height, tile.place.width, file.samples
    size = math.prod(shape) * file.dtype.itemsize
    with failures(file.path):
        segment = Segment(czi._fh, tile.position)
        if segment.sid != SubBlockSegment.SID:
            raise damaged(file.path, "a tile is not where the directory says")
        block = segment.data()
        entry = block.directory_entry
        end = block.data_offset + block.data_size
        if not 0 <= block.data_size <= end <= czi._fh.size:
            raise damaged(file.path, "the file ends within the pixels")
        if math.prod(entry.stored_shape) != math.prod(shape):
            raise damaged(file.path, "a tile differs from the directory")
        check_decoded_size(file.path, size, block.data_size)
        if entry.compression in (ZSTD_0, ZSTD_1):
            pixels = _unpacked(block.data(raw=True), entry.compression, size, file.dtype).reshape(shape)
            return pixels[..., _RGB_OF_BGR[: file.samples]] if file.samples > 1 else pixels
        if entry.compression not in (0, 1, 2, 4):
            raise NotImplementedError(f"compression {entry.compression} of CZI")
        pixels = np.asarray(block.data(resize=False)).reshape(shape)
        if pixels.dtype != file.dtype:
            raise damaged(file.path, "a tile is of another type than the directory says")
        return pixels


def _unpacked(data: bytes, compression: int, size: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Decode Zstandard; the header of kind 1 says whether low and high bytes are stored apart."""
    import imagecodecs

    are_apart = False
    if compression == ZSTD_1:
        header = data[: data[0]]
        are_apart = len(header) == 3 and header[1] == 1 and bool(header[2] & 1)
        data = data[len(header) :]
    stored = np.frombuffer(imagecodecs.zstd_decode(data, out=size), np.uint8)
    if are_apart:
        stored = np.ascontiguousarray(stored.reshape(2, -1).T).reshape(-1)
    return stored.view(dtype)


def czi_series(path: Path, number: int | None, limits: Limits) -> tuple[list[Series], list[SeriesFacts]]:
    """Describe the scenes of a CZI file; parameters, results and errors are those of `tiff_series`."""
    with failures(path):
        with _opened(path) as czi:
            if czi.header.file_part:
                raise ImageError(f"{path}: is a part of a set of CZI files; export the set as OME-TIFF")
            for position, kind in (
                (czi.header.directory_position, b"ZISRAWDIRECTORY"),
                (czi.header.metadata_position, b"ZISRAWMETADATA"),
            ):
                # czifile would search a damaged file for them, which may take for ever.
                if not _is_at(czi, position, kind):
                    raise damaged(path, f"no {kind.decode()}, as if writing was interrupted")
            entries = [entry for entry in czi.subblock_directory if _is_full_resolution(entry)]
            spacing = _spacing(czi.metadata())
        if not entries:
            raise damaged(path, "no image is left")
        scenes: dict[int, list[Any]] = defaultdict(list)
        for entry in entries:
            scenes[_starts(entry).get("S", 0)].append(entry)
        found = [_scene(path, scenes[key], spacing, limits) for key in sorted(scenes)]
    facts = [
        SeriesFacts(f"scene {key}" if len(scenes) > 1 else "", one.axes, one.shape, str(one.dtype))
        for key, one in zip(sorted(scenes), found, strict=True)
    ]
    return named(path, found.__getitem__, facts, number), facts


def _is_at(czi: Any, position: int, kind: bytes) -> bool:
    if not 0 < position < czi._fh.size:
        return False
    czi._fh.seek(position)
    return bool(czi._fh.read(len(kind)) == kind)


def _starts(entry: Any) -> dict[str, int]:
    return {dimension.dimension: dimension.start for dimension in entry.dimension_entries}


def _is_full_resolution(entry: Any) -> bool:
    """Whether a sub-block is no part of a pyramid."""
    return entry.pyramid_type == 0 and all(
        dimension.stored_size == dimension.size
        for dimension in entry.dimension_entries
        if dimension.dimension in ("X", "Y")
    )


def _scene(path: Path, entries: Sequence[Any], spacing: Spacing, limits: Limits) -> Series:
    kinds = {entry.dtype for entry in entries}
    if len(kinds) > 1 or not kinds <= SAMPLES.keys():
        raise ImageError(f"{path}: pixels of type {', '.join(sorted(kinds))} are not supported in one image;"
                         " export its channels as OME-TIFF")  # fmt: skip
    (kind,) = kinds
    samples, dtype = SAMPLES[kind], np.dtype(f"<{kind[-2:]}")
    axes = {axis: [_starts(entry).get(axis, 0) for entry in entries] for axis in STACK_AXES}
    first = {axis: min(starts) for axis, starts in axes.items()}
    lengths = {axis: max(starts) - first[axis] + 1 for axis, starts in axes.items()}
    lengths = {axis: length for axis, length in lengths.items() if length > 1}
    count = math.prod(lengths.values())
    limits.check_planes(path, count)
    if count > MOST_FRAMES_A_TILE * len(entries):
        raise damaged(path, f"it claims {count:,} planes and has {len(entries):,} tiles")
    places = [_place(path, entry) for entry in entries]
    top, left = min(place.top for place in places), min(place.left for place in places)
    height, width = max(p.bottom for p in places) - top, max(p.right for p in places) - left
    tiles: dict[tuple[int, ...], list[tuple[int, _Tile]]] = defaultdict(list)
    for entry, place in zip(entries, places, strict=True):
        at = tuple(_starts(entry).get(axis, 0) - first[axis] for axis in lengths)
        moved = Window(place.top - top, place.left - left, place.height, place.width)
        tiles[at].append((entry.mosaic_index or 0, _Tile(entry.file_position, moved)))
    by_frame = [
        tuple(tile for _, tile in sorted(tiles[at], key=lambda item: item[0]))
        for at in product(*(range(length) for length in lengths.values()))
    ]
    frames = Frames(
        _CziFile(path, dtype, samples, tuple(by_frame)),
        tuple(lengths.values()),
        height,
        width,
        samples,
        frozenset(number for number, of_frame in enumerate(by_frame) if not of_frame),
    )
    frames.check(path, dtype, path.stat().st_size)
    layouts = {frozenset(tile.place for tile in of_frame) for of_frame in by_frame if of_frame}
    has_gaps = any(_leave_gaps(places, height, width) for places in layouts)
    return Series(
        path=path,
        axes="".join(lengths) + "YX" + "S" * (samples > 1),
        shape=frames.shape,
        dtype=dtype.newbyteorder("="),
        photometric=Photometric.RGB if samples > 1 else Photometric.BLACK_IS_ZERO,
        locate=frames.locate,
        has_alpha=samples == 4,
        pixel_size_um=spacing.pixel_size_um,
        size_fault=spacing.fault,
        z_step_um=spacing.z_step_um,
        note="its tiles leave gaps, which are read as 0" * has_gaps,
    )


def _leave_gaps(places: Collection[Window], height: int, width: int) -> bool:
    """Whether tiles, which may overlap, leave pixels of a plane uncovered."""
    if sum(place.height * place.width for place in places) < height * width:
        return True
    rows = np.unique([0, height, *(edge for place in places for edge in (place.top, place.bottom))])
    columns = np.unique([0, width, *(edge for place in places for edge in (place.left, place.right))])
    if len(rows) * len(columns) > MOST_CELLS:
        return False
    covered = np.zeros((len(rows) - 1, len(columns) - 1), bool)
    for place in places:
        top, bottom = np.searchsorted(rows, (place.top, place.bottom))
        left, right = np.searchsorted(columns, (place.left, place.right))
        covered[top:bottom, left:right] = True
    return not covered.all()


def _place(path: Path, entry: Any) -> Window:
    sizes = {d.dimension: (d.start, d.size) for d in entry.dimension_entries}
    (top, height), (left, width) = sizes.get("Y", (0, 0)), sizes.get("X", (0, 0))
    if min(height, width) < 1:
        raise damaged(path, "a tile has no pixels")
    return Window(top, left, height, width)


def _spacing(xml: str) -> Spacing:
    sizes = {}
    # Safe: expat limits the expansion of entities.
    for distance in ET.fromstring(xml).iterfind("./Metadata/Scaling/Items/Distance"):  # noqa: S314
        with contextlib.suppress(ValueError):
            # The file has metres.
            sizes[distance.get("Id", "")] = 1e6 * float(distance.findtext("Value", ""))
    return spacing_of(sizes)
