"""Chunks of a PNG file, whose checksums are compared before it is decoded."""

import zlib
from collections.abc import Iterator

SIGNATURE_BYTES = 8
END = b"IEND"
# Set in the first letter of a name: decoders may leave the chunk out (W3C PNG, 5.4).
ANCILLARY = 0x20


def check_chunks(content: bytes) -> None:
    r"""Refuse a file in which a chunk that the pixels need is cut off or damaged.

    libpng finds the same, but in imagecodecs each error of libpng costs a reference to None, and where none
    is left, Python 3.11 ends the process.

    Parameters
    ----------
    content : bytes
        The file.

    Raises
    ------
    ValueError
        If a chunk ends after the file, or its bytes do not have its checksum (CRC-32; W3C PNG, 5.3).

    Examples
    --------
    >>> check_chunks(bytes(8) + b"\0\0\0\1IHDR" + bytes(5))
    Traceback (most recent call last):
    ValueError: chunk IHDR has another checksum
    """
    for name, body, checksum in _chunks(content):
        if name[:1] and name[0] & ANCILLARY:
            continue
        if len(checksum) < 4:
            raise ValueError(f"chunk {name.decode('latin-1')} is cut off")
        if zlib.crc32(body, zlib.crc32(name)) != int.from_bytes(checksum, "big"):
            raise ValueError(f"chunk {name.decode('latin-1')} has another checksum")


def frames_of(content: bytes) -> int:
    """Return the frames of a PNG file: 1, or those of an animation (W3C PNG, 11.3.3.1)."""
    return next((int.from_bytes(body[:4], "big") for name, body, _ in _chunks(content) if name == b"acTL"), 1)


def _chunks(content: bytes) -> Iterator[tuple[bytes, memoryview, memoryview]]:
    """Yield name, body and checksum of the chunks before the end of the image."""
    view, at = memoryview(content), SIGNATURE_BYTES
    while at < len(content):
        length, name = int.from_bytes(view[at : at + 4], "big"), bytes(view[at + 4 : at + 8])
        if name == END:
            return
        at += 8 + length
        yield name, view[at - length : at], view[at : at + 4]
        at += 4
