"""PNG, JPEG, GIF, WebP, JPEG 2000 and BMP files: decoded as a whole at the first read."""

import math
import struct
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin
from PIL.Image import new as new_image
from PIL.ImageFile import ImageFile

from beadctl.errors import ImageError
from beadctl.images.decoded_size import check_decoded_size
from beadctl.images.failure import damaged, failures
from beadctl.images.limits import Limits
from beadctl.images.palette import is_display
from beadctl.images.plane import PlaneSource
from beadctl.images.png_chunks import check_chunks, frames_of
from beadctl.images.series import Photometric, Series
from beadctl.images.whole import Pick, WholeSource

Codec = Literal["png", "jpeg", "gif", "webp", "jpeg2k", "bmp"]
SIGNATURES: dict[bytes, Codec] = {
    b"\x89PNG\r\n\x1a\n": "png",
    b"\xff\xd8\xff": "jpeg",
    b"GIF8": "gif",
    b"RIFF": "webp",
    b"\x00\x00\x00\x0cjP  \r\n\x87\n": "jpeg2k",
    b"\xff\x4f\xff\x51": "jpeg2k",
    b"BM": "bmp",
}
"""First bytes of a file, by which its format is known."""

# Samples of a pixel by the colour type of a PNG header (W3C PNG, 11.2.1).
PNG_SAMPLES = {0: 1, 2: 3, 4: 2, 6: 4}
PNG_PALETTE = b"\x03"
PILLOW_SAMPLES = {"1": 1, "L": 1, "RGB": 3, "P": 3, "RGBA": 4}
PLUGINS: dict[Codec, type[ImageFile]] = {
    "png": PngImagePlugin.PngImageFile,
    "jpeg": JpegImagePlugin.JpegImageFile,
    "gif": GifImagePlugin.GifImageFile,
    "webp": WebPImagePlugin.WebPImageFile,
    "bmp": BmpImagePlugin.BmpImageFile,
}
# The codestream of JPEG 2000 follows boxes of metadata; it begins with these markers.
J2K_START, J2K_WITHIN = b"\xff\x4f\xff\x51", 2**20
# Name of the box of a palette (ISO/IEC 15444-1, I.5.3.4).
J2K_PALETTE = b"pclr"


@dataclass(frozen=True)
class _Layout:
    """What a header says of the pixels; `is_index` reads a palette's index instead of its colours."""

    height: int
    width: int
    samples: int
    dtype: np.dtype[Any]
    is_index: bool = False
    frames: int = 1

    @property
    def axes(self) -> str:
        return "T" * (self.frames > 1) + "YX" + "S" * (self.samples > 1)

    @property
    def shape(self) -> tuple[int, ...]:
        sizes = {"T": self.frames, "Y": self.height, "X": self.width, "S": self.samples}
        return tuple(sizes[axis] for axis in self.axes)


def codec_of(head: bytes) -> Codec | None:
    """Return the format of a file with these first bytes, of those that `raster_series` reads."""
    found = next((codec for start, codec in SIGNATURES.items() if head.startswith(start)), None)
    return None if found == "webp" and head[8:12] != b"WEBP" else found


def _load(path: Path, codec: Codec, layout: _Layout) -> NDArray[Any]:
    """Decode a file to an array with the axes of its layout."""
    shape = layout.shape
    with failures(path):
        if codec == "png" and not layout.is_index:
            # Pillow would reduce 16-bit colours to 8 bits.
            content = path.read_bytes()
            check_chunks(content)
            if (frames := frames_of(content)) > 1:
                raise ImageError(f"{path}: has {frames} frames, of which one can be read; save them as TIFF")
            pixels = np.asarray(imagecodecs.png_decode(content))
        elif codec == "gif":
            pixels = _gif_pixels(path, layout)
        elif codec == "jpeg2k":
            pixels = np.asarray(imagecodecs.jpeg2k_decode(path.read_bytes()))
        else:
            pixels = _pillow_pixels(path, codec, layout)
    if layout.samples == 1 and pixels.ndim == len(shape) + 1:
        # A transparent colour adds an alpha sample that the header does not count; a grey GIF has three.
        pixels = pixels[..., 0]
    elif layout.samples > 1:
        pixels = pixels[..., : layout.samples]
    if pixels.shape != shape:
        raise damaged(path, f"{pixels.shape} pixels where its header says {shape}")
    return pixels


def _gif_pixels(path: Path, layout: _Layout) -> NDArray[Any]:
    """Decode a GIF file: its index or its colours; of several frames, colours are turned back into the index.

    A frame holds what has changed since the one before: the decoder completes colours alone.
    """
    content = path.read_bytes()
    if layout.is_index and layout.frames == 1:
        return np.asarray(imagecodecs.gif_decode(content, asrgb=False))
    pixels = np.asarray(imagecodecs.gif_decode(content, asrgb=True))
    if layout.samples > 1 or layout.frames == 1:
        return pixels
    greys = np.arange(256, dtype=np.uint8)[:, None].repeat(3, axis=1)
    table = _palette(_pillow(path, "gif")) if layout.is_index else greys
    known, first = np.unique(_codes(table), return_index=True)
    codes = _codes(pixels[..., :3])
    place = np.minimum(np.searchsorted(known, codes), len(known) - 1)
    if (known[place] != codes).any():
        raise ImageError(f"{path}: its frames have palettes of their own; save them as TIFF")
    return first[place].astype(np.uint8)


def _codes(colours: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Return a number for each colour, (..., 3)."""
    return np.asarray(colours.astype(np.int32) @ np.array((2**16, 2**8, 1), np.int32))


def _pillow_pixels(path: Path, codec: Codec, layout: _Layout) -> NDArray[Any]:
    frames = []
    with _pillow(path, codec) as image:
        for number in range(layout.frames):
            if number:
                image.seek(number)
            is_colour = image.mode == "P" and not layout.is_index
            frames.append(np.asarray(image.convert("RGB") if is_colour else image))
    return np.stack(frames) if layout.frames > 1 else frames[0]


def raster_series(path: Path, head: bytes, codec: Codec, limits: Limits) -> list[Series]:
    """Describe a file by its header, of which `head` is the first 64 bytes; several frames are a stack.

    The pixel size is left unknown: the density in such a header is for printing.

    Raises
    ------
    ImageError
        If the header is damaged or describes an unsupported encoding.
    """
    if codec == "png" and head[25:26] != PNG_PALETTE:
        layout = _png_header(path, head)
    elif codec == "jpeg2k":
        layout = _jpeg2k_header(path)
    else:
        layout = _pillow_header(path, codec)
    _check(path, layout, limits)
    shape, samples = layout.shape, layout.samples

    def locate(picks: tuple[Pick, ...], transposed: bool) -> PlaneSource:
        return WholeSource(partial(_load, path, codec, layout), picks, transposed)

    photometric = Photometric.RGB if samples > 2 else Photometric.BLACK_IS_ZERO
    has_alpha = samples in (2, 4)
    return [Series(path, layout.axes, shape, layout.dtype, photometric, locate, has_alpha=has_alpha)]


def _check(path: Path, layout: _Layout, limits: Limits) -> None:
    if not (layout.width > 0 and layout.height > 0):
        raise damaged(path, "the image has no pixels")
    limits.check_planes(path, layout.frames)
    # All frames are decoded at once.
    limits.check_pixels(path, layout.frames * layout.height * layout.width)
    check_decoded_size(path, math.prod(layout.shape) * layout.dtype.itemsize, path.stat().st_size)


def _png_header(path: Path, head: bytes) -> _Layout:
    # The first chunk, IHDR, has length, name, width, height, bit depth and colour type.
    if len(head) < 26 or head[12:16] != b"IHDR" or head[25] not in PNG_SAMPLES:
        raise damaged(path, "no PNG header")
    width, height, depth, colour = struct.unpack(">IIBB", head[16:26])
    return _Layout(height, width, PNG_SAMPLES[colour], np.dtype(np.uint16 if depth == 16 else np.uint8))


def _jpeg2k_header(path: Path) -> _Layout:
    """Read the segment SIZ (ISO/IEC 15444-1, A.5.1): right and lower edge, left and upper, and samples."""
    with failures(path), path.open("rb") as file:
        boxes, found, size = file.read(J2K_WITHIN).partition(J2K_START)
    if not found or len(size) < 39:
        raise damaged(path, "no JPEG 2000 header")
    if J2K_PALETTE in boxes:
        # The segment has samples of the index; decoders give those of the colours.
        raise ImageError(f"{path}: colours stored as a palette are not supported; export it as PNG or TIFF")
    right, lower, left, upper = struct.unpack(">4I", size[4:20])
    samples, precision = struct.unpack(">HB", size[36:39])
    bits, is_signed = (precision & 0x7F) + 1, precision >> 7
    if bits > 16:
        raise ImageError(f"{path}: {bits} bits a sample are not supported; export it as TIFF")
    dtype = np.dtype(f"{'i' if is_signed else 'u'}{1 if bits <= 8 else 2}")
    return _Layout(lower - upper, right - left, samples, dtype)


def _pillow_header(path: Path, codec: Codec) -> _Layout:
    with failures(path), _pillow(path, codec) as image:
        (width, height), mode, frames = image.size, image.mode, getattr(image, "n_frames", 1)
        palette = _palette(image)
    if mode not in PILLOW_SAMPLES:
        raise ImageError(f"{path}: colours stored as {mode} are not supported; export it as grey or RGB")
    is_index = mode == "P" and is_display(palette)
    # Later frames of a GIF may have palettes of their own.
    is_grey = is_index or (codec == "gif" and frames == 1 and bool((palette == palette[:, :1]).all()))
    dtype = np.dtype(bool if mode == "1" else np.uint8)
    return _Layout(height, width, 1 if is_grey else PILLOW_SAMPLES[mode], dtype, is_index, frames)


def _palette(image: ImageFile) -> NDArray[np.uint8]:
    """Return the colours of a palette; `Image.getpalette` would decode all pixels for them."""
    if image.mode != "P" or image.palette is None:
        return np.empty((0, 3), np.uint8)
    pixel = new_image("P", (1, 1))
    mode, colours = image.palette.getdata()
    pixel.putpalette(colours, mode)
    return np.array(pixel.getpalette("RGB"), np.uint8).reshape(-1, 3)


def _pillow(path: Path, codec: Codec) -> ImageFile:
    # Image.open would detect the format again and refuse 180 Mpx as a decompression bomb.
    return PLUGINS[codec](path)
