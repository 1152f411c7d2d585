"""Pages of a TIFF file, read by windows: only the strips or tiles that a window touches are decoded."""

import contextlib
import math
import struct
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import IO, Any, Protocol

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from tifffile import TiffFile, TiffFrame, TiffPage, TiffPageSeries

from beadctl.errors import ImageError
from beadctl.images.decoded_size import check_decoded_size
from beadctl.images.failure import damaged, failures
from beadctl.images.limits import Limits
from beadctl.images.window import Window

CACHE_BYTES = 256 * 2**20
"""Decoded strips and tiles kept while a page is open: a row of blocks reads the same strips again."""


LERC_CODE = 34887
JPEG_CODES = {6, 7, 33007, 34892}
FRAME_HEADERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""Markers of JPEG; the three others within are tables."""


class PageReader(Protocol):
    """An open page."""

    def box(self, sample: int, depth: int, window: Window) -> NDArray[Any]:
        """Return a window of one separate sample and slice, axes Y, X, contiguous sample."""


class Page(Protocol):
    """A page that can be opened; can be pickled."""

    def open(self) -> AbstractContextManager[PageReader]:
        """Open the page's file."""


Shaped = tuple[int, int, int, int, int]
"""Separate samples, depth, length, width, contiguous samples: `TiffPage.shaped`."""


@dataclass(frozen=True)
class _ContiguousPage:
    """An uncompressed page of contiguous rows: a shape and the position of its first byte in the file.

    It is read by seeking. With a memory map, a network drive that disconnects would crash the process, and
    Windows could not rename the file.
    """

    path: Path
    offset: int
    shaped: Shaped
    dtype: np.dtype[Any]

    @contextlib.contextmanager
    def open(self) -> Iterator[PageReader]:
        """Open the file."""
        with failures(self.path):
            file = self.path.open("rb")
        with file:
            yield _ContiguousReader(self, file)


class _ContiguousReader:
    def __init__(self, page: _ContiguousPage, file: IO[bytes]) -> None:
        self._page = page
        self._file = file

    def box(self, sample: int, depth: int, window: Window) -> NDArray[Any]:
        _, depths, length, width, samples = self._page.shaped
        first_row = (sample * depths + depth) * length + window.top
        if 2 * window.width >= width:
            rows = self._values(first_row * width * samples, window.height * width * samples)
            return rows.reshape(window.height, width, samples)[:, window.left : window.right]
        box = np.empty((window.height, window.width, samples), self._page.dtype)
        for i in range(window.height):
            start = ((first_row + i) * width + window.left) * samples
            box[i] = self._values(start, window.width * samples).reshape(window.width, samples)
        return box

    def _values(self, start: int, count: int) -> NDArray[Any]:
        page = self._page
        values = np.empty(count, page.dtype)
        with failures(page.path):
            self._file.seek(page.offset + start * page.dtype.itemsize)
            # readinto, which typing.IO lacks, avoids a copy of what may be a whole plane.
            got = self._file.readinto(values.view(np.uint8))  # type: ignore[attr-defined]
            if got < values.nbytes:
                raise damaged(page.path, "the file ends within the pixels")
        return values


@dataclass(frozen=True)
class _SegmentedPage:
    """A page of segments (strips or tiles), each decoded independently.

    `ifd_offset` and `index` locate the directory with the encoding, `chunk` is the depth, length and width
    of a segment, and `offsets` and `byte_counts` locate the segments in the file.
    """

    path: Path
    ifd_offset: int
    index: tuple[int, ...]
    shaped: Shaped
    dtype: np.dtype[Any]
    chunk: tuple[int, int, int]
    offsets: tuple[int, ...] = field(repr=False)
    byte_counts: tuple[int, ...] = field(repr=False)
    jpeg_tables: bytes | None = field(repr=False)

    @property
    def grid(self) -> tuple[int, int, int, int]:
        """Number of segments along the separate samples, depth, length and width."""
        samples, depth, length, width, _ = self.shaped
        d, h, w = self.chunk
        return samples, math.ceil(depth / d), math.ceil(length / h), math.ceil(width / w)

    @property
    def chunk_bytes(self) -> int:
        """Size of a decoded segment."""
        return math.prod(self.chunk) * self.shaped[-1] * self.dtype.itemsize

    @contextlib.contextmanager
    def open(self) -> Iterator[PageReader]:
        """Open the file and read the directory of the page."""
        with failures(self.path):
            tif = TiffFile(self.path)
        with tif:
            with failures(self.path):
                keyframe = tif.pages.first
                if keyframe.offset != self.ifd_offset:
                    tif.filehandle.seek(self.ifd_offset)
                    keyframe = TiffPage(tif, self.index)
            yield _SegmentReader(self, tif, keyframe)


class _SegmentReader:
    def __init__(self, page: _SegmentedPage, tif: TiffFile, keyframe: TiffPage) -> None:
        self._page = page
        cached = max(1, CACHE_BYTES // page.chunk_bytes)
        # Not a bound method: the cycle of references would keep the cache until the next garbage collection.
        self._segment = lru_cache(cached)(partial(_decoded, page, tif, keyframe))

    def box(self, sample: int, depth: int, window: Window) -> NDArray[Any]:
        page = self._page
        chunk_depth, chunk_height, chunk_width = page.chunk
        _, depths, lengths, widths = page.grid
        box = np.empty((window.height, window.width, page.shaped[-1]), page.dtype)
        for row in range(window.top // chunk_height, (window.bottom - 1) // chunk_height + 1):
            for column in range(window.left // chunk_width, (window.right - 1) // chunk_width + 1):
                index = ((sample * depths + depth // chunk_depth) * lengths + row) * widths + column
                segment = self._segment(index)[depth % chunk_depth]
                top, left = row * chunk_height, column * chunk_width
                y0, y1 = max(window.top, top), min(window.bottom, top + chunk_height)
                x0, x1 = max(window.left, left), min(window.right, left + chunk_width)
                box[y0 - window.top : y1 - window.top, x0 - window.left : x1 - window.left] = segment[
                    y0 - top : y1 - top, x0 - left : x1 - left
                ]
        return box


def _decoded(page: _SegmentedPage, tif: TiffFile, keyframe: TiffPage, index: int) -> NDArray[Any]:
    offset, count = page.offsets[index], page.byte_counts[index]
    with failures(page.path):
        data = None
        if offset > 0 and count > 0:
            tif.filehandle.seek(offset)
            data = tif.filehandle.read(count)
            if len(data) < count:
                raise damaged(page.path, "the file ends within the pixels")
            # A JPEG stream has a size of its own, to which it is decoded.
            if keyframe.compression in JPEG_CODES:
                check_decoded_size(page.path, _jpeg_samples(data), count)
        segment, _, shape = keyframe.decode(
            data, index, jpegtables=page.jpeg_tables, jpegheader=keyframe.jpegheader
        )
        if segment is None:
            # Sparse files omit empty tiles.
            return np.full(shape, keyframe.nodata, page.dtype)
        segment = np.asarray(segment)
        if keyframe.compression == LERC_CODE and data is not None:
            return _with_gaps(page.path, segment, data)
        return segment


def _with_gaps(path: Path, segment: NDArray[Any], data: bytes) -> NDArray[Any]:
    """Return a decoded segment of LERC with NaN for pixels without a value, which are decoded as 0."""
    known = imagecodecs.lerc_decode(data, masks=True)[1]
    if known is None or known.all():
        return segment
    if segment.dtype.kind != "f":
        raise ImageError(
            f"{path}: has pixels without a value among whole numbers (LERC), which would be read as 0; "
            "export it in floating point, or with a value for them"
        )
    # Of all samples together, or of each.
    known = known.reshape(segment.shape if known.size == segment.size else (*segment.shape[:3], 1))
    return np.where(known, segment, segment.dtype.type(np.nan))


def _jpeg_samples(data: bytes) -> int:
    """Return the samples of a JPEG stream by its frame header (ITU-T T.81, B.2.2); 0 where there is none."""
    at = data.find(b"\xff", 2)
    while 0 < at < len(data) - 9:
        marker = data[at + 1]
        if marker in FRAME_HEADERS:
            height, width, samples = struct.unpack_from(">HHB", data, at + 5)
            return int(height * width * samples)
        is_alone = marker in (0, 1, 0xFF) or 0xD0 <= marker <= 0xD9
        length = 0 if is_alone else int.from_bytes(data[at + 2 : at + 4], "big")
        at = data.find(b"\xff", at + (1 if marker == 0xFF else 2) + length)
    return 0


def squeezed(series: TiffPageSeries) -> tuple[str, tuple[int, ...]]:
    """Return the axes of a series and its shape without the axes of length 1, but always Y and X.

    tifffile leaves them out itself, or not: that depends on its version and on the kind of the series.
    """
    named = list(zip(series.axes, series.shape, strict=True))
    kept = [(axis, length) for axis, length in named if length > 1 or axis in "YX"] or named[-1:]
    return "".join(axis for axis, _ in kept), tuple(length for _, length in kept)


def pages_of(path: Path, tif: TiffFile, series: TiffPageSeries, limits: Limits) -> list[Page | None]:
    """Return the pages of a series of the open file `tif` at `path`; None for one in another file of a set.

    Raises
    ------
    ImageError
        If the pages are incomplete or exceed `limits` or those of `check_decoded_size`.
    """
    keyframe = series.keyframe
    is_here = keyframe.parent.filehandle.path == tif.filehandle.path
    if series.dataoffset is not None and keyframe.is_final and is_here:
        count = math.prod(series.shape) // keyframe.size
        limits.check_planes(path, count)
        first = series.dataoffset
        _check_end(path, first + count * keyframe.nbytes, tif.filehandle.size)
        check_decoded_size(path, keyframe.nbytes, keyframe.nbytes)
        return [_contiguous(path, keyframe, first + k * keyframe.nbytes) for k in range(count)]
    return [_page(path, tif, series[k], limits) for k in range(len(series))]


def _page(path: Path, tif: TiffFile, page: TiffPage | TiffFrame | None, limits: Limits) -> Page | None:
    # Each plane of a set of files belongs to the file that contains it, so that it is read once.
    if page is None or page.parent.filehandle.path != tif.filehandle.path:
        return None
    keyframe = page.keyframe
    assert keyframe is not None
    offsets = np.asarray(page.dataoffsets, dtype=np.int64)
    counts = np.asarray(page.databytecounts, dtype=np.int64)
    if not offsets.any():
        raise damaged(path, "a page without pixels, as if writing was interrupted")
    size = tif.filehandle.size
    follows = keyframe.is_lsm or keyframe.is_stk or bool(
        np.all(offsets[:-1] + counts[: len(offsets) - 1] == offsets[1:])
    )  # fmt: skip
    if keyframe.is_final and follows:
        _check_end(path, int(offsets[0]) + keyframe.nbytes, size)
        check_decoded_size(path, keyframe.nbytes, keyframe.nbytes)
        return _contiguous(path, keyframe, int(offsets[0]))
    chunk = keyframe.tiledepth, keyframe.tilelength, keyframe.tilewidth
    segmented = _SegmentedPage(
        path=path,
        ifd_offset=keyframe.offset,
        index=keyframe.treeindex,
        shaped=keyframe.shaped,
        dtype=_native(keyframe),
        chunk=chunk if keyframe.is_tiled else (1, keyframe.rowsperstrip, keyframe.imagewidth),
        offsets=page.dataoffsets,
        byte_counts=page.databytecounts,
        jpeg_tables=page.jpegtables,
    )
    expected = math.prod(segmented.grid)
    if min(len(offsets), len(counts)) < expected:
        raise damaged(path, f"{min(len(offsets), len(counts))} of {expected} strips or tiles are listed")
    counts, offsets = counts[:expected], offsets[:expected]
    if not keyframe.is_tiled and not (counts.all() and offsets.all()):
        raise damaged(path, "strips without pixels, as if writing was interrupted")
    _check_end(path, int((offsets + counts).max()), size)
    check_decoded_size(path, keyframe.nbytes, keyframe.nbytes)
    check_decoded_size(path, segmented.chunk_bytes, int(counts.max()))
    limits.check_pixels(path, math.prod(segmented.chunk))
    return segmented


def _contiguous(path: Path, keyframe: TiffPage, offset: int) -> _ContiguousPage:
    dtype = _native(keyframe).newbyteorder(keyframe.parent.byteorder)
    return _ContiguousPage(path, offset, keyframe.shaped, dtype)


def _native(keyframe: TiffPage) -> np.dtype[Any]:
    assert keyframe.dtype is not None
    return np.dtype(keyframe.dtype).newbyteorder("=")


def _check_end(path: Path, end: int, size: int) -> None:
    if end > size:
        raise damaged(path, f"pixels up to byte {end:,} in a file of {size:,} bytes")
