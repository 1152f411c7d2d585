"""Image files: axes, size and planes, without decoding pixels."""

import math
import os
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from beadctl.errors import FileNote, ImageError
from beadctl.files import sha256
from beadctl.images import extra
from beadctl.images.array import array_series
from beadctl.images.failure import failures
from beadctl.images.limits import Limits
from beadctl.images.pixel_size import TOLERANCE, jeol_pixel_size_um, stated_beside
from beadctl.images.plane import Plane
from beadctl.images.projection import projected
from beadctl.images.read_options import ReadOptions
from beadctl.images.search_result import OTHER_FORMATS
from beadctl.images.series import Series, SeriesFacts, chosen_series, planes_of
from beadctl.words import form, number_of


@dataclass(frozen=True)
class Image:
    """Description of an image file; of several series, all but `planes` describe the first one.

    Attributes
    ----------
    path : Path
        The file.
    axes : str
        A letter per axis, such as ``TZCYX``, without axes of length 1.
    shape : tuple of int
        Lengths of the axes.
    dtype : numpy.dtype
        As stored.
    pixel_size_um : float or None
        Edge of a pixel, um; None if unknown.
    planes : tuple of Plane
        The planes in stored order, or one for each Z stack.
    conversion : str
        Conversion of the stored samples to a plane, in words.
    series : tuple of SeriesFacts
        All images of the file, side images too.
    """

    path: Path
    axes: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    pixel_size_um: float | None
    planes: tuple[Plane, ...]
    conversion: str
    series: tuple[SeriesFacts, ...] = ()


def open_image(path: Path, options: ReadOptions = ReadOptions(), *, is_copy: bool = False) -> Image:
    """Open an image and list its planes; pixels are read by `Plane.open`.

    The format is detected from the content of the file, not from its name. Every axis other than Y, X, S
    (samples) and C (channels) is a stack of planes. Planes are as stored: the tags of TIFF and EXIF by which
    viewers turn or mirror a picture are ignored.

    Parameters
    ----------
    path : Path
        A TIFF, PNG, JPEG, GIF, WebP, JPEG 2000 or BMP file; with the extra ``formats`` also CZI, LIF or ND2.
    options : ReadOptions
        Replace or complete the file's metadata.
    is_copy : bool
        Whether the file is a copy, so that the other files of its set need not be beside it.

    Raises
    ------
    ImageError
        If the file is missing, empty, damaged, truncated, in an unsupported format or encoding,
        beyond the limits, or ambiguous without `axes`, `channel` or `plane`.

    Warns
    -----
    FileNote
        If something in the file is left out or assumed, such as side images of a slide.
    """
    in_file, facts = _series_of(path, options.series, options.limits, is_copy=is_copy)
    sizes = [s.pixel_size_um or jeol_pixel_size_um(path) for s in in_file]
    in_file = [replace(s, pixel_size_um=size) for s, size in zip(in_file, sizes, strict=True)]
    return _image(path, in_file, facts, options)


def open_array(array: ArrayLike, options: ReadOptions = ReadOptions(), name: str = "array") -> Image:
    """Describe an array in memory as an image, with the planes that a file of these pixels has.

    Parameters
    ----------
    array : array_like, shape (..., H, W)
        Of real numbers; of more than two axes, these are named by `options.axes`, or by ``dims`` of one
        letter each, as xarray has them.
    options : ReadOptions
        As for `open_image`.
    name : str
        Stands for the path of a file in messages.

    Raises
    ------
    ImageError
        If it holds no pixels or no real numbers, or is ambiguous without `axes`, `channel` or `plane`.

    Examples
    --------
    >>> rgb = np.zeros((4, 5, 3), np.uint8)
    >>> image = open_array(rgb, ReadOptions(axes="YXS"))
    >>> image.conversion, image.planes[0].height, image.planes[0].width
    ('luminance of RGB', 4, 5)
    """
    series = array_series(array, name)
    if options.axes is None and series.is_certain:
        options = replace(options, axes=series.axes)
    facts = SeriesFacts("", series.axes, series.shape, str(series.dtype))
    chosen_series(series.path, [facts], options.series)
    return _image(series.path, [series], [facts], options)


def _image(
    path: Path, in_file: Sequence[Series], facts: Sequence[SeriesFacts], options: ReadOptions
) -> Image:
    """Describe the series of a file, or of an array, as the options say."""
    axes = options.axes and options.axes.upper()
    every_series = [
        replace(s, axes=axes or s.axes, pixel_size_um=s.pixel_size_um or options.pixel_size_um)
        for s in in_file
    ]
    _check_limits(path, every_series, options.limits)
    planes: list[Plane | None] = []
    conversions: list[str] = []
    for series in every_series:
        more, conversion = planes_of(series, len(planes), options.channel, named_by_user=axes is not None)
        planes.extend(more)
        conversions.append(conversion)
    first = every_series[0]
    chosen = _chosen(path, planes, options.plane, is_part=any(s.is_part for s in every_series))
    for note in _notes(in_file, facts, chosen, options):
        warnings.warn(FileNote(path, note), stacklevel=3)
    if options.projection:
        chosen = projected(chosen, options.projection)
    return Image(
        path=path,
        axes=first.axes,
        shape=first.shape,
        dtype=first.dtype.newbyteorder("="),
        pixel_size_um=first.pixel_size_um,
        planes=chosen,
        conversion=conversions[0],
        series=tuple(facts),
    )


def _check_limits(path: Path, every_series: Sequence[Series], limits: Limits) -> None:
    count = 0
    for series in every_series:
        # Axes of another number are refused with a reason of their own.
        sizes = dict(zip(series.axes, series.shape, strict=False))
        limits.check_pixels(path, sizes.get("Y", 0) * sizes.get("X", 0))
        count += math.prod(length for axis, length in sizes.items() if axis not in "YXSC")
    limits.check_planes(path, count)


def _notes(
    read: Sequence[Series], facts: Sequence[SeriesFacts], planes: Sequence[Plane], options: ReadOptions
) -> Iterator[str]:
    """Yield what is left out of a file or assumed."""
    sides = [one.side for one in facts if one.side]
    if sides and options.series is None:
        yield f"left out as side images: {', '.join(sides)}; --series reads one, beadctl info lists them"
    if len({(plane.height, plane.width) for plane in planes}) > 1:
        yield f"planes differ in size: {sizes_of(planes)}; --series chooses"
    asked_um = options.pixel_size_um
    own_um = next((series.pixel_size_um for series in read if series.pixel_size_um), None)
    if asked_um and own_um and abs(own_um / asked_um - 1) > TOLERANCE:
        yield f"its own pixel size, {own_um:g} um, is used and not --pixel-size {asked_um:g}"
    used = f"--pixel-size {asked_um:g} is used" if asked_um else "the size counts as unknown"
    unknown = (one.size_fault for one in read if one.size_fault and not one.pixel_size_um)
    yield from dict.fromkeys(f"{fault}, so {used}" for fault in unknown)
    yield from dict.fromkeys(one.note for one in read if one.note)


def sizes_of(planes: Sequence[Plane]) -> str:
    """Return the number of planes of each size, in words."""
    sizes = Counter((plane.height, plane.width) for plane in planes)
    return ", ".join(f"{number_of(count, 'plane')} of {h} x {w} px" for (h, w), count in sizes.items())


def only_plane(path: Path, options: ReadOptions = ReadOptions()) -> Plane:
    """Return the only plane of an image that is paired with an annotation.

    Parameters are those of `open_image`.

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
            if len(planes) == 1:
                raise ImageError(f"{path}: has one plane; leave --plane out")
            last = len(planes) - 1
            raise ImageError(f"{path}: has {len(planes)} planes; choose one with --plane 0..{last}")
        planes = [planes[number]]
    present = tuple(p for p in planes if p is not None)
    missing = len(planes) - len(present)
    if missing and not (is_part and present):
        fault = f"{missing} of {number_of(len(planes), 'plane')} {form(missing, 'is', 'are')}"
        if is_part:
            raise ImageError(f"{path}: {fault} in other files of its set; give those files, without --plane")
        fault = f"{fault} missing, as if it was truncated"
        raise ImageError(f"{path}: {fault}; export it again, or choose one with --plane")
    return present


def _series_of(
    path: Path, number: int | None, limits: Limits, *, is_copy: bool
) -> tuple[list[Series], list[SeriesFacts]]:
    """Describe a file by the module for its format: the series to read, and facts of all."""
    head = _head(path)
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        from beadctl.images.tiff import tiff_series

        return tiff_series(path, number, limits, is_copy=is_copy)
    from beadctl.images.raster import codec_of, raster_series

    codec = codec_of(head)
    suffix = path.suffix.lower()
    # ND2 files of NIS-Elements 2 are JPEG 2000, of which a plain reader would see the first image alone.
    if codec and suffix != ".nd2":
        series = raster_series(path, head, codec, limits)
        facts = [SeriesFacts("", one.axes, one.shape, str(one.dtype)) for one in series]
        return [series[i] for i in chosen_series(path, facts, number)], facts
    of_extra = _suffix_of(head)
    if of_extra and extra.is_installed(of_extra):
        return _extra_series(path, of_extra, number, limits)
    if of_extra:
        raise ImageError(f"{path}: {extra.kind(of_extra)} files are not read: {extra.REMEDY}")
    if suffix in (*OTHER_FORMATS, *extra.PACKAGES):
        raise ImageError(f"{path}: this kind of {suffix} file is not supported; export it as OME-TIFF")
    if head.startswith(b"PK\3\4"):
        raise ImageError(f"{path}: is a ZIP archive; give it as zip://::ARCHIVE")
    raise ImageError(f"{path}: not a TIFF, PNG, JPEG, GIF, WebP, JPEG 2000 or BMP image; export it as TIFF")


def _suffix_of(head: bytes) -> str:
    """Return the suffix of the format of the extra that begins with these bytes; empty for any other."""
    if head.startswith(b"ZISRAWFILE"):
        return ".czi"
    if head.startswith(b"\xda\xce\xbe\x0a"):
        return ".nd2"
    is_leica = head.startswith(b"\x70\0\0\0") and head[8:9] == b"\x2a"
    return ".lif" if is_leica and "LMS_Object_File" not in head[13:].decode("utf-16-le", "replace") else ""


def _extra_series(
    path: Path, suffix: str, number: int | None, limits: Limits
) -> tuple[list[Series], list[SeriesFacts]]:
    match suffix:
        case ".czi":
            from beadctl.images.czi import czi_series

            return czi_series(path, number, limits)
        case ".lif":
            from beadctl.images.lif import lif_series

            return lif_series(path, number, limits)
    from beadctl.images.nd2 import nd2_series

    return nd2_series(path, number, limits)


def content_sha256(path: Path) -> str:
    """Return the SHA-256 of an image file; an `ImageError` if it cannot be read."""
    with failures(path):
        _require_file(path)
        return sha256(path)


def content_key(path: Path) -> str:
    """Return what tells an image file from others: `content_sha256`, its errors too.

    What files beside it state of its pixel size comes first, with a colon; see
    `beadctl.images.pixel_size.stated_beside`.
    """
    content, stated = content_sha256(path), stated_beside(path)
    return f"{stated}:{content}" if stated else content


def _head(path: Path) -> bytes:
    with failures(path):
        _require_file(path)
        with path.open("rb") as file:
            head = file.read(64)
    if not head:
        raise ImageError(f"{path}: empty (0 bytes); copy or export it again")
    return head


def _require_file(path: Path) -> None:
    """Refuse a folder, which Windows reports as a lack of permission, and a pipe, which may never end."""
    if path.is_dir():
        raise IsADirectoryError if os.access(path, os.R_OK | os.X_OK) else PermissionError
    if path.exists() and not path.is_file():
        raise ImageError(f"{path}: a pipe or a device; save what it gives as a file")
