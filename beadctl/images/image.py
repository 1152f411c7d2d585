"""An image file, opened: its axes, its size and its planes, with nothing decoded."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from beadctl.errors import ImageError
from beadctl.images.failure import failures
from beadctl.images.plane import Plane
from beadctl.images.read_options import ReadOptions
from beadctl.images.series import Series, check_axes, choose_samples, planes_of

# Formats of microscopes that beadctl does not read, by what to do about them.
VENDOR_SUFFIXES = {
    ".czi", ".dv", ".h5", ".ims", ".lif", ".lsm", ".mrc", ".nd2", ".ndpi", ".oib", ".oif", ".oir", ".qptiff",
    ".scn", ".stk", ".svs", ".vsi", ".zvi",
}  # fmt: skip


@dataclass(frozen=True)
class Image:
    """An image file of which nothing is decoded yet.

    Attributes
    ----------
    path : Path
        The file.
    axes : str
        A letter per axis, such as ``TZCYX``; axes of length 1 are left out. Of several series
        the first one's, as are `shape` and `dtype`.
    shape : tuple of int
        Lengths of the axes.
    dtype : numpy.dtype
        As stored.
    pixel_size_um : float or None
        Edge of a pixel, um; None when the file does not say.
    planes : tuple of Plane
        What there is to segment, in stored order.
    conversion : str
        How stored samples become a plane, in words.
    """

    path: Path
    axes: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    pixel_size_um: float | None
    planes: tuple[Plane, ...]
    conversion: str


def open_image(path: Path, options: ReadOptions = ReadOptions()) -> Image:
    """Open an image and list its planes; pixels are read by `Plane.open`.

    The format is told by the content, never by the name. Every axis that is not Y, X, S
    (samples) or C (channels) is a stack of planes. Rotation tags are not applied: results lie
    on the pixels as they are stored.

    Parameters
    ----------
    path : Path
        TIFF, PNG, JPEG or BMP.
    options : ReadOptions
        What replaces or completes the file's metadata.

    Returns
    -------
    Image

    Raises
    ------
    ImageError
        If the file is missing, empty, damaged, truncated, of a format or an encoding that is not
        supported, too large to be true, or ambiguous without `axes`, `channel` or `plane`.
    """
    found = _series_of(path)
    named_by_user = options.axes is not None
    if options.axes is not None:
        found = [replace(series, axes=options.axes.upper()) for series in found]
    found = [replace(series, pixel_size_um=series.pixel_size_um or options.pixel_size_um) for series in found]
    planes: list[Plane | None] = []
    words: list[str] = []
    for series in found:
        check_axes(series, named_by_user=named_by_user)
        choice = choose_samples(series, options.channel, named_by_user=named_by_user)
        planes.extend(planes_of(series, choice, len(planes)))
        words.append(choice.conversion.words)
    first = found[0]
    return Image(
        path=path,
        axes=first.axes,
        shape=first.shape,
        dtype=first.dtype.newbyteorder("="),
        pixel_size_um=first.pixel_size_um,
        planes=_chosen(path, planes, options.plane, is_part=any(s.is_part for s in found)),
        conversion=words[0],
    )


def only_plane(path: Path, options: ReadOptions = ReadOptions()) -> Plane:
    """Return the only plane of an image, as one annotation needs it.

    Parameters
    ----------
    path : Path
        As for `open_image`.
    options : ReadOptions
        As for `open_image`.

    Returns
    -------
    Plane

    Raises
    ------
    ImageError
        As for `open_image`, or if the image has several planes.
    """
    planes = open_image(path, options).planes
    if len(planes) != 1:
        raise ImageError(f"{path}: has {len(planes)} planes and one mask; choose one with --plane")
    return planes[0]


def _chosen(
    path: Path, planes: list[Plane | None], number: int | None, *, is_part: bool
) -> tuple[Plane, ...]:
    if number is not None:
        if not 0 <= number < len(planes):
            count = "one plane; leave --plane out" if len(planes) == 1 else (
                f"{len(planes)} planes; choose one with --plane 0..{len(planes) - 1}"
            )  # fmt: skip
            raise ImageError(f"{path}: has {count}")
        planes = [planes[number]]
    held = tuple(p for p in planes if p is not None)
    missing = len(planes) - len(held)
    if missing and not (is_part and held):
        where = "in other files of its set" if is_part else "missing, as if it was truncated"
        raise ImageError(
            f"{path}: {missing} of {len(planes)} planes are {where};"
            " export it again, or choose one with --plane"
        )
    return held


def _series_of(path: Path) -> list[Series]:
    """Read the file's description with the module that knows its format."""
    head = _head(path)
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        from beadctl.images.tiff import tiff_series

        return tiff_series(path)
    if head.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM")):
        from beadctl.images.raster import raster_series

        return raster_series(path, head)
    if path.suffix.lower() in VENDOR_SUFFIXES:
        raise ImageError(f"{path}: {path.suffix} files are not supported; export it as OME-TIFF")
    raise ImageError(f"{path}: not a TIFF, PNG, JPEG or BMP image; export it as TIFF")


def _head(path: Path) -> bytes:
    with failures(path):
        # Windows calls the opening of a folder a lack of permission.
        if path.is_dir():
            raise IsADirectoryError
        with path.open("rb") as file:
            head = file.read(64)
    if not head:
        raise ImageError(f"{path}: empty (0 bytes); copy or export it again")
    return head
