"""The pictures of a plane: small enough for a page, in grey, without outlines."""

import io
import math
from typing import TYPE_CHECKING

import numpy as np

from beadctl import scratch
from beadctl.images import Pixels, Plane, Window
from beadctl.images.resample import Shrunk
from beadctl.results.formats import overlays

if TYPE_CHECKING:
    from PIL.Image import Image

# Edges, px: a larger plane is shrunk before it is drawn; the largest and least picture; a thumbnail.
LARGEST_PX, MOST_PX, LEAST_PX, THUMBNAIL_PX = 4096, 2048, 160, 120
QUALITY, THUMBNAIL_QUALITY = 72, 60
# Pictures that are encoded to find the largest of so many bytes, and how full of them it may be.
TRIES, FULL = 5, 0.85


def drawn(plane: Plane) -> "Image":
    """Return a plane in grey, at most 2048 px wide and high.

    Raises
    ------
    ImageError
        If its pixels cannot be read.
    """
    from PIL.Image import Resampling

    factor = -(-max(plane.height, plane.width) // LARGEST_PX)
    with plane.open() as pixels:
        image = _in_bands(Shrunk(pixels, factor)) if factor > 1 else pixels.read_all()
    grey = overlays.coloured(overlays.paint(image, np.zeros(image.shape, np.uint32))).convert("L")
    grey.thumbnail((MOST_PX, MOST_PX), Resampling.LANCZOS, reducing_gap=2.0)
    return grey


def _in_bands(pixels: Pixels) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    whole = np.empty((pixels.height, pixels.width), np.float32)
    for rows in scratch.bands(*whole.shape, px=2**18):
        whole[rows] = pixels.read(Window(rows.start, 0, rows.stop - rows.start, pixels.width))
    return whole


def thumbnail(picture: "Image") -> bytes:
    """Return a picture as WebP, 120 px wide or high."""
    return _webp(picture, THUMBNAIL_PX, THUMBNAIL_QUALITY)


def fitted(picture: "Image", most_bytes: int) -> bytes:
    """Return a picture as WebP of at most so many bytes, nearly as large as that allows, from 160 px on."""
    largest = edge = max(picture.size)
    best, low, high = b"", min(LEAST_PX, largest), largest + 1
    for _ in range(TRIES):
        content = _webp(picture, edge, QUALITY)
        if len(content) > most_bytes:
            high = edge
        else:
            best, low = content, edge
            if edge == largest or len(content) > FULL * most_bytes:
                return best
        # Bytes grow about as the area.
        edge = int(edge * math.sqrt(0.95 * most_bytes / len(content)))
        edge = max(low + (high - low) // 10, min(edge, high - 1))
    return best or _webp(picture, low, QUALITY)


def _webp(picture: "Image", edge: int, quality: int) -> bytes:
    from PIL.Image import Resampling

    small, stream = picture.copy(), io.BytesIO()
    small.thumbnail((edge, edge), Resampling.LANCZOS, reducing_gap=2.0)
    small.save(stream, format="WEBP", quality=quality, method=2)
    return stream.getvalue()
