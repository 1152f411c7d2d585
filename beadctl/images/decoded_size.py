"""How large decoded pixels may be beside their stored bytes: a decompression bomb is refused."""

from dataclasses import dataclass
from pathlib import Path

from beadctl.errors import ImageError


@dataclass(frozen=True)
class DecodedSizeLimits:
    """Limits of the compression of what is decoded at once: a plane, strip, tile or file.

    =========  ==========  =====  =========================================================================
    name       value       unit   why
    =========  ==========  =====  =========================================================================
    unchecked  64 * 2**20  bytes  fits into memory, whatever its compression
    ratio      2000        ratio  decoded to stored bytes; blank images reach 1032 by Deflate, 1400 by LZW
    =========  ==========  =====  =========================================================================
    """

    unchecked: int = 64 * 2**20
    ratio: int = 2000


LIMITS = DecodedSizeLimits()


def check_decoded_size(path: Path, decoded_bytes: int, stored_bytes: int) -> None:
    """Refuse a decompression bomb: pixels that need far more memory than their stored bytes can encode.

    Raises
    ------
    ImageError
        Names `path`, if the pixels exceed `LIMITS`.
    """
    if decoded_bytes > LIMITS.unchecked and decoded_bytes > LIMITS.ratio * stored_bytes:
        raise ImageError(
            f"{path}: {stored_bytes:,} bytes claim to hold {decoded_bytes / 2**20:,.0f} MiB of pixels,"
            " which is implausible; save it as a tiled TIFF if it is real"
        )
