"""Nikon ND2 files, by nd2: each stage position is a series; a chunk of the file holds all channels."""

import contextlib
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.errors import ImageError
from beadctl.images.decoded_size import check_decoded_size
from beadctl.images.extra import quieten
from beadctl.images.failure import damaged, failures
from beadctl.images.frames import Frames, letters, named
from beadctl.images.limits import Limits
from beadctl.images.pixel_size import Spacing, spacing_of
from beadctl.images.series import Photometric, Series, SeriesFacts
from beadctl.images.window import Window

LOOPS = {"TimeLoop": "T", "NETimeLoop": "T", "XYPosLoop": "P", "ZStackLoop": "Z"}
"""Axes by nd2's name of a loop of the experiment."""

DTYPES = {8: "u1", 16: "u2", 32: "f4"}
"""Types of a component by its bits in memory."""

TIME_BYTES = 8
"""A chunk of pixels begins with its time."""


@dataclass(frozen=True)
class _Layout:
    """What the file says of every chunk: size, channels, samples of each, and bytes of a row in the file."""

    height: int
    width: int
    channels: int
    samples: int
    dtype: np.dtype[Any]
    row_bytes: int
    is_compressed: bool

    @property
    def components(self) -> int:
        return self.channels * self.samples

    @property
    def chunk_bytes(self) -> int:
        return self.height * self.row_bytes


@dataclass(frozen=True)
class _Nd2File:
    """The chunks of a position; the frames of each are its channels."""

    path: Path
    layout: _Layout
    chunks: tuple[int, ...] = field(repr=False)

    @contextlib.contextmanager
    def open(self) -> Iterator["_Nd2Reader"]:
        from nd2 import ND2File

        quieten()
        with failures(self.path):
            nd2 = ND2File(self.path)
        with nd2:
            yield _Nd2Reader(self, nd2)


class _Nd2Reader:
    def __init__(self, file: _Nd2File, nd2: Any) -> None:
        self._file = file
        self._chunk = lru_cache(1)(lambda number: _decoded(file, nd2, number))

    def box(self, frame: int, window: Window) -> NDArray[Any]:
        chunk, channel = divmod(frame, self._file.layout.channels)
        return self._chunk(self._file.chunks[chunk])[window.slices][:, :, channel]


def _decoded(file: _Nd2File, nd2: Any, number: int) -> NDArray[Any]:
    """Return the pixels of a chunk, axes Y, X, channel, sample in the order red, green, blue."""
    layout = file.layout
    with failures(file.path):
        # ND2File.read_frame returns zeros for a chunk that is not in the file.
        data = nd2._rdr._load_chunk(f"ImageDataSeq|{number}!".encode())[TIME_BYTES:]
        if layout.is_compressed:
            check_decoded_size(file.path, layout.chunk_bytes, len(data))
            data = zlib.decompressobj().decompress(data, layout.chunk_bytes)
        if len(data) < layout.chunk_bytes:
            raise damaged(file.path, "the file ends within the pixels")
        rows = np.frombuffer(data, np.uint8, layout.chunk_bytes).reshape(layout.height, layout.row_bytes)
        used = layout.width * layout.components * layout.dtype.itemsize
        pixels = np.ascontiguousarray(rows[:, :used]).view(layout.dtype)
        pixels = pixels.reshape(layout.height, layout.width, layout.channels, layout.samples)
        return pixels[..., ::-1] if layout.samples == 3 else pixels


def nd2_series(path: Path, number: int | None, limits: Limits) -> tuple[list[Series], list[SeriesFacts]]:
    """Describe the positions of an ND2 file; parameters, results and errors are those of `tiff_series`."""
    from nd2 import ND2File

    quieten()
    with failures(path), ND2File(path) as nd2:
        layout = _layout(path, nd2)
        loops = [(LOOPS.get(str(loop.type), "U"), loop.count) for loop in nd2.experiment]
        total = math.prod(count for _, count in loops)
        limits.check_planes(path, total)
        if total <= 0 or any(count < 1 for _, count in loops):
            raise damaged(path, f"it claims {total:,} planes")
        chunks = np.arange(total).reshape([count for _, count in loops])
        names = [name for name, _ in loops]
        by_position = np.moveaxis(chunks, names.index("P"), 0) if "P" in names else chunks[None]
        if "P" in names:
            names.remove("P")
        missing = _missing(path, nd2, total)
        spacing = _spacing(nd2)
    found = [_position(path, layout, names, part, missing, spacing) for part in by_position]
    titles = [f"position {i}" if len(found) > 1 else "" for i in range(len(found))]
    facts = [
        SeriesFacts(title, one.axes, one.shape, str(one.dtype))
        for title, one in zip(titles, found, strict=True)
    ]
    return named(path, found.__getitem__, facts, number), facts


def _layout(path: Path, nd2: Any) -> _Layout:
    facts = nd2.attributes
    channels = facts.channelCount or 1
    components, bits, width = facts.componentCount, facts.bitsPerComponentInMemory, facts.widthPx or 0
    if bits not in DTYPES or facts.compressionType == "lossy":
        raise ImageError(f"{path}: {bits} bits, compression {facts.compressionType}, are not supported;"
                         " export it as OME-TIFF")  # fmt: skip
    if components // channels != 3:
        # As nd2 counts: components that are no colours are channels.
        channels = components
    if min(channels, components, width, facts.heightPx) < 1 or components % channels:
        raise damaged(path, "the image has no pixels")
    dtype = np.dtype(DTYPES[bits])
    row_bytes = facts.widthBytes or width * components * dtype.itemsize
    if row_bytes < width * components * dtype.itemsize:
        raise damaged(path, "its rows are shorter than its width")
    is_compressed = facts.compressionType == "lossless"
    return _Layout(facts.heightPx, width, channels, components // channels, dtype, row_bytes, is_compressed)


def _missing(path: Path, nd2: Any, total: int) -> frozenset[int]:
    """Return the chunks of pixels that are not in the file."""
    size = path.stat().st_size
    present = nd2._rdr.chunkmap
    names = [f"ImageDataSeq|{number}!".encode() for number in range(total)]
    return frozenset(
        number
        for number, name in enumerate(names)
        if name not in present or present[name][0] + max(present[name][1], 0) > size
    )


def _spacing(nd2: Any) -> Spacing:
    # ND2File.voxel_size gives 1 where the file has no size, and needs the optics of every channel.
    facts = nd2._rdr._cached_raw_metadata()
    edge = facts.get("dCalibration", math.nan) if facts.get("bCalibrated") else math.nan
    steps = [abs(loop.parameters.stepUm) for loop in nd2.experiment if loop.type == "ZStackLoop"]
    return spacing_of({"X": edge, "Y": edge, "Z": steps[0] if steps else math.nan})


def _position(
    path: Path,
    layout: _Layout,
    names: list[str],
    chunks: NDArray[np.int64],
    missing: frozenset[int],
    spacing: Spacing,
) -> Series:
    lead = [(name, length) for name, length in zip(names, chunks.shape, strict=True) if length > 1]
    if layout.channels > 1:
        lead.append(("C", layout.channels))
    numbers = tuple(chunks.ravel().tolist())
    frames = Frames(
        _Nd2File(path, layout, numbers),
        tuple(length for _, length in lead),
        layout.height,
        layout.width,
        layout.samples,
        frozenset(
            i * layout.channels + channel
            for i, number in enumerate(numbers)
            if number in missing
            for channel in range(layout.channels)
        ),
    )
    frames.check(path, layout.dtype, path.stat().st_size)
    return Series(
        path=path,
        axes="".join(letters(name for name, _ in lead)) + "YX" + "S" * (layout.samples > 1),
        shape=frames.shape,
        dtype=layout.dtype,
        photometric=Photometric.RGB if layout.samples == 3 else Photometric.BLACK_IS_ZERO,
        locate=frames.locate,
        pixel_size_um=spacing.pixel_size_um,
        z_step_um=spacing.z_step_um,
    )
