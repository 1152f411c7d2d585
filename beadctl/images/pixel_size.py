"""Pixel size from the metadata of a TIFF file."""

import math
from xml.etree import ElementTree as ET

from tifffile import TiffFile

UM_PER_UNIT = {
    "pm": 1e-6, "å": 1e-4, "nm": 1e-3,
    "um": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0, "micrometre": 1.0,
    "mm": 1e3, "cm": 1e4, "m": 1e6,
}  # fmt: skip
"""Micrometres in a unit of length."""

TOLERANCE = 0.01
"""Largest relative difference of the X and Y size of a square pixel."""


def pixel_sizes_um(tif: TiffFile, count: int) -> list[float | None]:
    """Return the edge of a pixel, um, of each of `count` series of an open TIFF file.

    Sources are OME metadata (``PhysicalSizeX`` and its unit), else ImageJ's (resolution tags and unit,
    except inches and centimetres). The resolution of any other TIFF is for printing and is ignored.
    A size is None if unknown, or if X and Y differ by more than 1 %.
    """
    if tif.is_ome and tif.ome_metadata:
        sizes = _ome_pixel_sizes_um(tif.ome_metadata)
        if len(sizes) == count:
            return sizes
        return [sizes[0] if len(set(sizes)) == 1 else None] * count
    if tif.is_imagej:
        return [_imagej_pixel_size_um(tif)] * count
    return [None] * count


def _ome_pixel_sizes_um(xml: str) -> list[float | None]:
    try:
        # Safe: expat limits the expansion of entities, and tifffile has parsed the same text.
        root = ET.fromstring(xml)  # noqa: S314
    except ET.ParseError:
        return []
    return [_size_of_pixels_element(e.attrib) for e in root.iter() if e.tag.endswith("Pixels")]


def _size_of_pixels_element(attributes: dict[str, str]) -> float | None:
    lengths = []
    for axis in "XY":
        value = attributes.get(f"PhysicalSize{axis}")
        if value is not None:
            # The OME schema (2016-06) defines um as the default unit.
            um = _um_per_unit(attributes.get(f"PhysicalSize{axis}Unit", "um"))
            lengths.append(_number(value) * (um or math.nan))
    return _edge_of_square(lengths)


def _imagej_pixel_size_um(tif: TiffFile) -> float | None:
    unit = str((tif.imagej_metadata or {}).get("unit", ""))
    # Centimetres are the print resolution of uncalibrated files.
    um = None if unit.strip().lower() == "cm" else _um_per_unit(unit)
    tags = tif.pages.first.tags
    resolutions = [tags.valueof(code) for code in (282, 283)]
    if um is None or None in resolutions:
        return None
    # A resolution is a fraction: pixels per unit.
    return _edge_of_square([um * d / n if n else math.nan for n, d in resolutions])


def _um_per_unit(unit: str) -> float | None:
    # Both Unicode letters for micro, and ImageJ's escaped one.
    name = unit.strip().lower().replace("\\u00b5", "u").replace("µ", "u").replace("μ", "u")
    return UM_PER_UNIT.get(name)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _edge_of_square(lengths: list[float]) -> float | None:
    if not lengths or not all(math.isfinite(x) and x > 0 for x in lengths):
        return None
    shortest, longest = min(lengths), max(lengths)
    if longest > shortest * (1 + TOLERANCE):
        return None
    # The geometric mean preserves areas; equal lengths are returned unchanged, without rounding.
    return shortest if shortest == longest else math.sqrt(shortest * longest)
