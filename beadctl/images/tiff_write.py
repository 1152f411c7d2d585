"""Writer of grey images and label images as TIFF."""

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.files import write_bytes

# Newer than any limit by which readers interpret ImageJ's descriptions.
IMAGEJ_VERSION = "1.54f"


def write_tiff(
    path: Path,
    pixels: NDArray[Any],
    *,
    software: str,
    pixel_size_um: float | None = None,
    durable: bool = True,
) -> str:
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
    pixel_size_um : float or None
        Edge of a pixel, um, written as ImageJ reads it; None if unknown.
    durable : bool
        As for `beadctl.files.atomic`.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    import tifffile

    content = io.BytesIO()
    scale: dict[str, Any] = {}
    if pixel_size_um is not None:
        scale = {"resolution": (1 / pixel_size_um, 1 / pixel_size_um), "resolutionunit": "NONE"}
        scale["description"] = f"ImageJ={IMAGEJ_VERSION}\nimages=1\nunit=um\n"
    # No metadata, because it would include the date.
    tifffile.imwrite(
        content,
        np.ascontiguousarray(pixels),
        compression="zlib",
        photometric="minisblack",
        metadata=None,
        software=software,
        **scale,
    )
    write_bytes(path, content.getbuffer(), durable=durable)
    return hashlib.sha256(content.getbuffer()).hexdigest()
