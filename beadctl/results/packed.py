"""Small records of the beads of a plane, kept compressed until all planes of its image are done."""

import gzip
import io
from collections.abc import Iterable, Iterator

# Bytes before a record that tell its length.
LENGTH = 4


def pack(records: Iterable[bytes]) -> bytes:
    """Return records as one compressed block: outlines take a tenth of their size.

    Examples
    --------
    >>> list(unpacked(pack([b"one", b"", b"three"])))
    [b'one', b'', b'three']
    """
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=1, mtime=0) as file:
        for record in records:
            file.write(len(record).to_bytes(LENGTH, "little") + record)
    return buffer.getvalue()


def unpacked(block: bytes) -> Iterator[bytes]:
    """Yield the records of a block, one at a time."""
    with gzip.GzipFile(fileobj=io.BytesIO(block)) as file:
        while length := file.read(LENGTH):
            yield file.read(int.from_bytes(length, "little"))
