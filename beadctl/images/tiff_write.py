"""Writer of grey images and label images as TIFF."""

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.files import write_bytes


def write_tiff(path: Path, pixels: NDArray[Any], *, software: str, durable: bool = True) -> str:
    """Write a plane as zlib-compressed TIFF, atomically, and return the SHA-256 of the file as hexadecimal.

    Equal pixels give equal bytes.

    Parameters
    ----------
    path : Path
        The file.
    pixels : ndarray, shape (height, width)
        Values in the dtype to store.
    software : str
        Value of the Software tag.
    durable : bool
        As for `beadctl.files.atomic`.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    import tifffile

    content = io.BytesIO()
    # No metadata, because it would include the date.
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
