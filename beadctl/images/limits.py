"""Limits of what an image file may claim to hold, checked before anything is built or decoded."""

from dataclasses import dataclass
from pathlib import Path

from beadctl.errors import ImageError


@dataclass(frozen=True)
class Limits:
    """Limits of an image file.

    Attributes
    ----------
    max_pixels : int
        Pixels of a plane; of all planes where a format is decoded as a whole.
    max_planes : int
        Planes of a file, and of the set of files that its metadata describe; pages of a TIFF file.
    max_copy_bytes : int
        Bytes of the copy of an object in a store.
    """

    max_pixels: int = 4_000_000_000
    max_planes: int = 100_000
    max_copy_bytes: int = 20_000_000_000

    def check_pixels(self, path: Path, pixels: int) -> None:
        """Refuse more pixels: an `ImageError` that names the setting."""
        if pixels > self.max_pixels:
            fault = f"{pixels:,} pixels to decode at once, and {self.max_pixels:,} are allowed"
            raise ImageError(f"{path}: {fault}; if they are real, raise the setting images.max_pixels")

    def check_planes(self, path: Path, planes: int) -> None:
        """Refuse more planes: an `ImageError` that names the setting."""
        if planes > self.max_planes:
            fault = f"claims more than the {self.max_planes:,} planes that are allowed"
            raise ImageError(f"{path}: {fault}; if they are real, raise the setting images.max_planes")

    def check_copy(self, shown: str, size: int) -> None:
        """Refuse a copy of more bytes of the object `shown`: an `ImageError` that names the setting."""
        if size > self.max_copy_bytes:
            fault = f"more than the {self.max_copy_bytes:,} bytes that are allowed for a copy"
            raise ImageError(f"{shown}: {fault}; if they are real, raise the setting images.max_copy_bytes")
