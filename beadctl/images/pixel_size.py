"""The size of a pixel, where a microscope's file says it; never guessed."""

import math
from xml.etree import ElementTree as ET

from tifffile import TiffFile

UM_PER_UNIT = {
    "pm": 1e-6, "å": 1e-4, "nm": 1e-3,
    "um": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0, "micrometre": 1.0,
    "mm": 1e3, "cm": 1e4, "m": 1e6,
}  # fmt: skip
"""Micrometres in a unit of length."""

PRINT_UNITS = {"cm"}
"""Units in which ImageJ repeats the dots per inch of a file that was never calibrated."""

TOLERANCE = 0.01
"""Relative difference of X and Y up to which a pixel counts as square."""


def pixel_sizes_um(tif: TiffFile, count: int) -> list[float | None]:
    """Return the pixel size of each series of a TIFF file.

    OME metadata (``PhysicalSizeX`` and its unit) comes first, then ImageJ's (resolution tag and
    unit). The resolution of any other TIFF is for printing and says nothing about the specimen;
    for the same reason inches and centimetres from ImageJ are not believed.

    Parameters
    ----------
    tif : TiffFile
        Open file.
    count : int
        Number of series.

    Returns
    -------
    list of float or None
        Edge of a pixel, um; None when unknown, or when X and Y differ by more than 1 %.
    """
    if tif.is_ome and tif.ome_metadata:
        sizes = ome_pixel_sizes_um(tif.ome_metadata)
        if len(sizes) == count:
            return sizes
        return [sizes[0] if len(set(sizes)) == 1 else None] * count
    if tif.is_imagej:
        return [_imagej_pixel_size_um(tif)] * count
    return [None] * count


def ome_pixel_sizes_um(xml: str) -> list[float | None]:
    """Return the pixel size of each image in OME-XML, um.

    Parameters
    ----------
    xml : str
        The document; a unit that is left out is um, as the OME schema (2016-06) has it.
    """
    try:
        # Expat bounds the expansion of entities, and tifffile parsed the same text before.
        root = ET.fromstring(xml)  # noqa: S314
    except ET.ParseError:
        return []
    return [_of_pixels(e.attrib) for e in root.iter() if e.tag.endswith("Pixels")]


def _of_pixels(attributes: dict[str, str]) -> float | None:
    lengths = []
    for axis in "XY":
        value = attributes.get(f"PhysicalSize{axis}")
        if value is not None:
            um = um_per_unit(attributes.get(f"PhysicalSize{axis}Unit", "um"))
            lengths.append(_number(value) * (um or math.nan))
    return _square(lengths)


def _imagej_pixel_size_um(tif: TiffFile) -> float | None:
    unit = str((tif.imagej_metadata or {}).get("unit", ""))
    um = None if unit.strip().lower() in PRINT_UNITS else um_per_unit(unit)
    tags = tif.pages.first.tags
    resolutions = [tags.valueof(code) for code in (282, 283)]
    if um is None or None in resolutions:
        return None
    # Pixels per unit, as a fraction.
    return _square([um * d / n if n else math.nan for n, d in resolutions])


def um_per_unit(unit: str) -> float | None:
    r"""Return the micrometres in a unit of length, or None if it is none.

    Both Unicode letters for micro are known, and ImageJ's escaped ``\u00B5m``.
    """
    name = unit.strip().lower().replace("\\u00b5", "u").replace("µ", "u").replace("μ", "u")
    return UM_PER_UNIT.get(name)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _square(lengths: list[float]) -> float | None:
    if not lengths or not all(math.isfinite(x) and x > 0 for x in lengths):
        return None
    shortest, longest = min(lengths), max(lengths)
    if longest > shortest * (1 + TOLERANCE):
        return None
    # The geometric mean keeps areas right; equal lengths are returned as they were written.
    return shortest if shortest == longest else math.sqrt(shortest * longest)
