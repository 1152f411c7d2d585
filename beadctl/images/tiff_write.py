"""Writing grey images and label images as plain TIFF."""

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.files import write_bytes


def write_tiff(path: Path, pixels: NDArray[Any], *, software: str, durable: bool = True) -> str:
    """Write a plane as TIFF, zlib-compressed, whole or not at all; equal pixels give equal bytes.

    Parameters
    ----------
    path : Path
        The file.
    pixels : ndarray, shape (H, W)
        In the dtype that is written.
    software : str
        The program, for the file's tag.
    durable : bool
        As for `beadctl.files.atomic`.

    Returns
    -------
    str
        SHA-256 of the file, 64 hexadecimal digits.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    import tifffile

    content = io.BytesIO()
    # Without a date: it would make equal pixels differ.
    tifffile.imwrite(
        content,
        np.ascontiguousarray(pixels),
        compression="zlib",
        photometric="minisblack",
        metadata=None,
        software=software,
    )
    write_bytes(path, content.getbuffer(), durable=durable)
    return hashlib.sha256(content.getbuffer()).hexdigest()
