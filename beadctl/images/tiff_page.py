"""A page of a TIFF file, read by windows: only the strips or tiles that a window touches are decoded."""

import contextlib
import math
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from tifffile import TiffFile, TiffPage

from beadctl.errors import ImageError
from beadctl.images.failure import damaged, failures
from beadctl.images.window import Window

CACHE_BYTES = 256 * 2**20
"""Decoded strips and tiles kept while a page is open: a row of blocks reads the same strips again."""

MAX_PLANE_BYTES = 16 * 2**30
"""Largest plane that is believed. No microscope camera or slide scanner writes a larger plane."""

MAX_PIECE_BYTES = 64 * 2**20
MAX_RATIO = 2000
"""A strip, tile or file above the first size and this compression is taken for a bomb.

What a piece decodes to is held in memory at once, so a few bytes must not be able to ask for
gigabytes. Deflate cannot compress beyond 1032 to 1 nor LZW beyond about 1400 to 1, so that even
an entirely blank image passes with the usual codecs; below 64 MiB nothing can be harmed.
Images of many small tiles need no such rule, whatever their total: windows decode a few at a time.
"""


def check_piece(path: Path, decoded_bytes: int, stored_bytes: int) -> None:
    """Refuse what would decode to much more memory than its stored bytes can hold.

    Raises
    ------
    ImageError
        By the limits `MAX_PLANE_BYTES`, `MAX_PIECE_BYTES` and `MAX_RATIO`.
    """
    too_large = decoded_bytes > MAX_PLANE_BYTES
    if too_large or (decoded_bytes > MAX_PIECE_BYTES and decoded_bytes > MAX_RATIO * stored_bytes):
        raise ImageError(
            f"{path}: {stored_bytes:,} bytes claim to hold {decoded_bytes / 2**20:,.0f} MiB of pixels,"
            " too much to be believed; save it as a tiled TIFF if it is real"
        )


class PageReader(Protocol):
    """An open page."""

    def box(self, sample: int, depth: int, window: Window) -> NDArray[Any]:
        """Return a window of one separate sample and slice, axes Y, X, contiguous samples."""
        ...


class Page(Protocol):
    """A page that can be opened; plain data that can be pickled."""

    def open(self) -> AbstractContextManager[PageReader]:
        """Open the page's file."""
        ...


Shaped = tuple[int, int, int, int, int]
"""Separate samples, depth, length, width, contiguous samples: how tifffile normalises a page."""


@dataclass(frozen=True)
class ContiguousPage:
    """An uncompressed page whose rows follow each other: read by seeking, never mapped.

    Reads leave no file mapped, so that a network drive that goes away is an error rather than a
    crash, and Windows can rename the file afterwards.

    Attributes
    ----------
    path : Path
        The file.
    offset : int
        Where its first byte lies.
    shaped : Shaped
        Its normalised shape.
    dtype : numpy.dtype
        As stored, with byte order.
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
    def __init__(self, page: ContiguousPage, file: IO[bytes]) -> None:
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
            # IO promises no readinto, which spares a copy of what may be a whole plane.
            got = self._file.readinto(values.view(np.uint8))  # type: ignore[attr-defined]
            if got < values.nbytes:
                raise damaged(page.path, "the file ends within the pixels")
        return values


@dataclass(frozen=True)
class SegmentedPage:
    """A page of strips or tiles, each decoded by itself.

    Attributes
    ----------
    path : Path
        The file.
    ifd_offset : int
        Where the directory lies that says how the page is encoded.
    index : tuple of int
        Number of that directory in the file.
    shaped : Shaped
        Normalised shape of the page.
    dtype : numpy.dtype
        Of the decoded pixels.
    chunk : tuple of int
        Depth, length and width of a tile or strip.
    offsets, byte_counts : sequence of int
        Where the segments lie.
    jpeg_tables : bytes or None
        What JPEG segments share.
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
        """Number of segments along separate samples, depth, length and width."""
        samples, depth, length, width, _ = self.shaped
        d, h, w = self.chunk
        return samples, math.ceil(depth / d), math.ceil(length / h), math.ceil(width / w)

    @property
    def chunk_bytes(self) -> int:
        """Size of a decoded segment, bytes."""
        return math.prod(self.chunk) * self.shaped[-1] * self.dtype.itemsize

    @contextlib.contextmanager
    def open(self) -> Iterator[PageReader]:
        """Open the file and read its first directory and the page's."""
        with failures(self.path):
            tif = TiffFile(self.path)
        with tif:
            with failures(self.path):
                keyframe = self._keyframe(tif)
            yield _SegmentReader(self, tif, keyframe)

    def _keyframe(self, tif: TiffFile) -> TiffPage:
        if tif.pages.first.offset == self.ifd_offset:
            return tif.pages.first
        tif.filehandle.seek(self.ifd_offset)
        return TiffPage(tif, self.index)


class _SegmentReader:
    def __init__(self, page: SegmentedPage, tif: TiffFile, keyframe: TiffPage) -> None:
        self._page = page
        self._tif = tif
        self._keyframe = keyframe
        self._decoded: OrderedDict[int, NDArray[Any]] = OrderedDict()
        self._decoded_bytes = 0

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

    def _segment(self, index: int) -> NDArray[Any]:
        if index in self._decoded:
            self._decoded.move_to_end(index)
            return self._decoded[index]
        segment = self._decode(index)
        self._decoded[index] = segment
        self._decoded_bytes += segment.nbytes
        while self._decoded_bytes > CACHE_BYTES and len(self._decoded) > 1:
            _, oldest = self._decoded.popitem(last=False)
            self._decoded_bytes -= oldest.nbytes
        return segment

    def _decode(self, index: int) -> NDArray[Any]:
        page, file = self._page, self._tif.filehandle
        offset, count = page.offsets[index], page.byte_counts[index]
        with failures(page.path):
            data = None
            if offset > 0 and count > 0:
                file.seek(offset)
                data = file.read(count)
                if len(data) < count:
                    raise damaged(page.path, "the file ends within the pixels")
            segment, _, shape = self._keyframe.decode(
                data, index, jpegtables=page.jpeg_tables, jpegheader=self._keyframe.jpegheader
            )
            if segment is None:
                # A sparse file leaves out the tiles that hold nothing.
                return np.full(shape, self._keyframe.nodata, page.dtype)
            return np.asarray(segment)
