"""PNG, JPEG and BMP files: one image each, decoded as a whole at the first read."""

import struct
from functools import partial
from pathlib import Path
from typing import Any, Literal

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import BmpImagePlugin, JpegImagePlugin, PngImagePlugin
from PIL.ImageFile import ImageFile

from beadctl.errors import ImageError
from beadctl.images.failure import damaged, failures
from beadctl.images.palette import is_display
from beadctl.images.plane import PlaneSource
from beadctl.images.series import Photometric, Series
from beadctl.images.tiff_page import check_decoded_size
from beadctl.images.whole import Pick, WholeSource

# Samples of a pixel by the colour type of a PNG header (W3C PNG, 11.2.1).
PNG_SAMPLES = {0: 1, 2: 3, 4: 2, 6: 4}
PNG_PALETTE = b"\x03"
PILLOW_SAMPLES = {"1": 1, "L": 1, "RGB": 3, "P": 3, "RGBA": 4}

Codec = Literal["png", "jpeg", "bmp"]
PLUGINS: dict[Codec, type[ImageFile]] = {
    "png": PngImagePlugin.PngImageFile,
    "jpeg": JpegImagePlugin.JpegImageFile,
    "bmp": BmpImagePlugin.BmpImageFile,
}


def _load(path: Path, codec: Codec, shape: tuple[int, ...], is_index: bool) -> NDArray[Any]:
    """Decode a file to an array with axes Y, X and, if there are several samples, S."""
    with failures(path):
        if codec == "png" and not is_index:
            # Pillow would reduce 16-bit colours to 8 bits.
            pixels = np.asarray(imagecodecs.png_decode(path.read_bytes()))
        else:
            with _pillow(path, codec) as image:
                pixels = np.asarray(image.convert("RGB") if image.mode == "P" and not is_index else image)
    if pixels.ndim == 3:
        # A transparent colour adds an alpha sample that the header does not count.
        pixels = pixels[..., : shape[2]] if len(shape) == 3 else pixels[..., 0]
    if pixels.shape != shape:
        raise damaged(path, f"{pixels.shape} pixels where its header says {shape}")
    return pixels


def raster_series(path: Path, head: bytes) -> list[Series]:
    """Describe a PNG, JPEG or BMP file by its header, of which `head` is the first 64 bytes.

    The pixel size is left unknown: the density in such a header is for printing.

    Raises
    ------
    ImageError
        If the header is damaged or describes an unsupported encoding.
    """
    codec: Codec = "png" if head[:1] == b"\x89" else "jpeg" if head[:1] == b"\xff" else "bmp"
    is_index = False
    if codec == "png" and head[25:26] != PNG_PALETTE:
        height, width, samples, dtype = _png_header(path, head)
    else:
        height, width, samples, dtype, is_index = _pillow_header(path, codec)
    shape = (height, width) if samples == 1 else (height, width, samples)
    check_decoded_size(path, height * width * samples * dtype.itemsize, path.stat().st_size)

    def locate(picks: tuple[Pick, ...], transposed: bool) -> PlaneSource:
        return WholeSource(partial(_load, path, codec, shape, is_index), picks, transposed)

    photometric = Photometric.RGB if samples > 2 else Photometric.BLACK_IS_ZERO
    axes = "YX" if samples == 1 else "YXS"
    return [Series(path, axes, shape, dtype, photometric, locate, has_alpha=samples in (2, 4))]


def _png_header(path: Path, head: bytes) -> tuple[int, int, int, np.dtype[Any]]:
    # The first chunk, IHDR, has length, name, width, height, bit depth and colour type.
    if len(head) < 26 or head[12:16] != b"IHDR" or head[25] not in PNG_SAMPLES:
        raise damaged(path, "no PNG header")
    width, height, depth, colour = struct.unpack(">IIBB", head[16:26])
    if not (width and height):
        raise damaged(path, "the image has no pixels")
    return height, width, PNG_SAMPLES[colour], np.dtype(np.uint16 if depth == 16 else np.uint8)


def _pillow_header(path: Path, codec: Codec) -> tuple[int, int, int, np.dtype[Any], bool]:
    with failures(path), _pillow(path, codec) as image:
        (width, height), mode = image.size, image.mode
        palette = np.array(image.getpalette("RGB") or (), np.uint8).reshape(-1, 3)
    if not (width > 0 and height > 0):
        raise damaged(path, "the image has no pixels")
    if mode not in PILLOW_SAMPLES:
        raise ImageError(f"{path}: colours stored as {mode} are not supported; export it as grey or RGB")
    is_index = mode == "P" and is_display(palette)
    samples = 1 if is_index else PILLOW_SAMPLES[mode]
    return height, width, samples, np.dtype(bool if mode == "1" else np.uint8), is_index


def _pillow(path: Path, codec: Codec) -> ImageFile:
    # Image.open would detect the format again and refuse 180 Mpx as a decompression bomb.
    return PLUGINS[codec](path)
