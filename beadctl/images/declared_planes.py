"""The planes that metadata in a TIFF file declare, counted before tifffile makes a list of them."""

import contextlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

import numpy as np
from tifffile import TiffFile

from beadctl.errors import ImageError
from beadctl.images.failure import damaged
from beadctl.images.limits import Limits
from beadctl.images.tiff_directories import Directories, read_directories

MOST_MIXED, MOST_DESCRIBED = 8_000, 30_000
"""Pages of several kinds, and levels of pyramids, which tifffile compares each with each other: of any file,
and of one whose metadata say what they are."""

MOST_KINDS = 1_000
"""Sizes and encodings of pages, which are compared each with each other too."""

ELEMENTS_A_PLANE = 20
"""Of OME-XML: OME-XML of more elements takes minutes to read."""


@dataclass
class _Image:
    """An element Pixels: its planes, pixels of each, and the first page, count and file of each TiffData."""

    planes: int
    pixels: int
    parts: list[tuple[int, int, str]] = field(default_factory=list)


def check_declared(path: Path, tif: TiffFile, pages: Directories, limits: Limits) -> dict[str, bool]:
    """Refuse an open file, `tif` at `path`, whose metadata declare more planes than `limits` allow.

    Returns
    -------
    dict of str to bool
        Attributes of `tif` to set, because the file is not what tifffile takes it for.

    Raises
    ------
    ImageError
        If planes or pages are more than allowed, in the file or the set that it names; or a file of the set
        is a device or a pipe.
    """
    most = MOST_DESCRIBED if tif.is_ome or tif.is_lsm else MOST_MIXED
    is_mixed = not pages.are_alike or pages.count > len(pages.pixels)
    if pages.kinds > MOST_KINDS or (pages.count > most and is_mixed):
        fault = f"has {pages.count:,} pages of {pages.kinds:,} kinds; {most:,} of {MOST_KINDS:,} can be read"
        raise ImageError(f"{path}: {fault}; split it into several files")
    # tifffile computes the pages of some files from the first few.
    limits.check_planes(path, len(tif.pages))
    if tif.is_ome and tif.ome_metadata:
        _check_ome(path, tif.ome_metadata, pages, limits)
    # tifffile takes a stack for uniform by its first pages, the eighth and the last.
    flags = {} if pages.are_alike else {"is_uniform": False}
    if tif.is_mmstack and _is_endless(path, tif.micromanager_metadata or {}, limits):
        flags["is_mmstack"] = False
    return flags


def _is_endless(path: Path, facts: Mapping[str, Any], limits: Limits) -> bool:
    """Whether Micro-Manager planned more planes than are allowed, to be stopped by hand: its pages count."""
    index = np.asarray(facts.get("IndexMap", ()), np.int64)
    if not index.size:
        return False
    index, summary = index[:, :4], facts.get("Summary", {})
    limits.check_planes(path, math.prod((np.ptp(index, axis=0) + 1).tolist()))
    planned = [int(summary.get(name, 1)) for name in ("Channels", "Slices", "Frames", "Positions")]
    stored: list[int] = (index.max(axis=0) + 1).tolist()
    return math.prod(map(max, planned, stored)) > limits.max_planes


def _check_ome(path: Path, xml: str, pages: Directories, limits: Limits) -> None:
    """Refuse OME-XML of which tifffile would make a list of too many planes, or read too many pages.

    The list has as many planes as pages of the first page's size would take.
    """
    reader = _Reader(path, limits)
    parser = expat.ParserCreate(namespace_separator="}")
    parser.StartElementHandler = reader.start
    try:
        parser.Parse(xml, True)
    except (expat.ExpatError, UnicodeError):
        # tifffile reports it.
        return
    files = {"": pages, path.name: pages}
    for name in sorted({name for image in reader.images for _, _, name in image.parts} - files.keys()):
        files[name] = _member(path, path.parent / name, limits)
    longest = max(len(one.pixels) for one in files.values())
    parts = [part for image in reader.images for part in image.parts]
    limits.check_planes(path, sum(count or longest for _, count, _ in parts))
    planes = 0
    for image in reader.images:
        limits.check_pixels(path, image.pixels)
        planes += max(image.planes, image.planes * image.pixels // _least_pixels(image, files))
        limits.check_planes(path, planes)


def _member(path: Path, member: Path, limits: Limits) -> Directories:
    if member.is_file():
        return read_directories(member, limits)
    if member.exists():
        raise damaged(path, f"{member.name} of its set is no file")
    return Directories()


def _least_pixels(image: _Image, files: Mapping[str, Directories]) -> int:
    """Return the pixels of the smallest page that an image refers to; its own where it has none."""
    found = [
        pixels
        for first, count, name in image.parts
        for pixels in files[name].pixels[first : first + (count or len(files[name].pixels))]
        if pixels > 0
    ]
    return min(found, default=max(image.pixels, 1))


class _Reader:
    """Handler of the elements of OME-XML, which stops at the first count that is not allowed."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path, self.limits = path, limits
        self.images: list[_Image] = []
        self.read = self.elements = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.elements += 1
        self.limits.check_planes(self.path, self.elements // ELEMENTS_A_PLANE)
        tag = name.rpartition("}")[2]
        if tag.endswith("Pixels"):
            sizes = {axis: _integer(attributes.get(f"Size{axis}")) for axis in "XYZCT"}
            planes = sizes["Z"] * sizes["C"] * sizes["T"]
            self.limits.check_planes(self.path, planes)
            self.images.append(_Image(planes, sizes["X"] * sizes["Y"]))
        elif tag.endswith("TiffData") and self.images:
            count = attributes.get(
                "PlaneCount", attributes.get("NumPlanes", "1" if "IFD" in attributes else "0")
            )
            planes = _integer(count, default=0)
            self.read += planes
            self.limits.check_planes(self.path, self.read)
            self.images[-1].parts.append((_integer(attributes.get("IFD"), default=0), planes, ""))
        elif tag.endswith("UUID") and self.images and self.images[-1].parts:
            first, planes, _ = self.images[-1].parts[-1]
            self.images[-1].parts[-1] = first, planes, attributes.get("FileName", "")
        elif tag[:-1].endswith("Along"):
            self.limits.check_planes(self.path, _steps(attributes))


def _integer(text: str | None, default: int = 1) -> int:
    """Return a whole number of the XML; `default` where tifffile refuses it or there is none."""
    try:
        return max(int(text or ""), 0)
    except ValueError:
        return default


def _steps(attributes: Mapping[str, str]) -> int:
    """Return the length of an axis that is given as a range."""
    with contextlib.suppress(ValueError, ZeroDivisionError, OverflowError, KeyError):
        start, end = float(attributes["Start"]), float(attributes["End"])
        return math.ceil((end - start) / float(attributes.get("Step", 1)))
    return 0
