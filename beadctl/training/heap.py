"""Memory that a training step frees and the next one takes again, kept by the process on Linux."""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Of mallopt(3), with glibc's default and the threshold that it reaches by itself.
M_TRIM_THRESHOLD, REACHED_BYTES = -1, 64 * 2**20
M_MMAP_MAX, DEFAULT_MAPS = -4, 65536


@contextmanager
def freed_blocks_kept() -> Iterator[None]:
    """Keep freed memory while the block lasts, and give it back at its end.

    Only glibc's heap has the switch. By default it gives freed blocks above 32 MiB back to the system, and
    its own end where more than 64 MiB of it are free. Most activations of a training step lie there, so each
    step would take fresh pages, which the system fills with zeros one by one. A step frees in the reverse
    order, so the heap stays near its size after the first steps.

    Examples
    --------
    >>> with freed_blocks_kept():
    ...     block = bytearray(2**26)
    """
    libc: Any = ctypes.CDLL(None) if sys.platform == "linux" else None
    if not (hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim")):
        yield
        return
    libc.mallopt(M_MMAP_MAX, 0)
    libc.mallopt(M_TRIM_THRESHOLD, -1)
    try:
        yield
    finally:
        libc.mallopt(M_MMAP_MAX, DEFAULT_MAPS)
        libc.mallopt(M_TRIM_THRESHOLD, REACHED_BYTES)
        libc.malloc_trim(0)
