"""Pixel size and Z step from the metadata of a TIFF file, or of a text file beside an image."""

import contextlib
import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from tifffile import TiffFile

from beadctl.errors import ImageError
from beadctl.images.failure import failures

UM_PER_UNIT = {
    "pm": 1e-6, "picometer": 1e-6, "å": 1e-4, "angstrom": 1e-4, "ångström": 1e-4,
    "nm": 1e-3, "nanometer": 1e-3, "um": 1.0, "mum": 1.0, "micron": 1.0, "micrometer": 1.0, "umeter": 1.0,
    "mm": 1e3, "millimeter": 1e3, "cm": 1e4, "centimeter": 1e4, "m": 1e6, "meter": 1e6,
}  # fmt: skip
"""Micrometres in a unit of length, in lower case and American spelling."""

OME_UM_PER_UNIT = {
    "Ym": 1e30, "Zm": 1e27, "Em": 1e24, "Pm": 1e21, "Tm": 1e18, "Gm": 1e15, "Mm": 1e12, "km": 1e9, "hm": 1e8,
    "dam": 1e7, "m": 1e6, "dm": 1e5, "cm": 1e4, "mm": 1e3, "µm": 1.0, "nm": 1e-3, "pm": 1e-6, "fm": 1e-9,
    "am": 1e-12, "zm": 1e-15, "ym": 1e-18, "Å": 1e-4,
    "thou": 25.4, "li": 25400 / 12, "in": 25400.0, "ft": 304800.0, "yd": 914400.0, "mi": 1.609344e9,
    "ua": 1.495978707e17, "ly": 9.4607304725808e21, "pc": 3.0856775814913673e22, "pt": 25400 / 72,
}  # fmt: skip
"""Micrometres in the units of length of the OME schema (2016-06), of which case tells some apart."""

SIDECAR_BYTES, COMPANION_BYTES = 2**16, 2**26
"""A text beside an image, and the OME-XML of a set, are not read beyond this."""

Z_STEP = "z"
"""Before a Z step in `stated_beside`."""

SMALLEST_UM, LARGEST_UM = 1e-6, 1e6
"""Of the edge of a pixel that is believed: a picometre, a metre."""

TOLERANCE = 0.01
"""Largest relative difference of the X and Y size of a square pixel."""


@dataclass(frozen=True)
class Spacing:
    """Distances between the pixels of a series.

    Attributes
    ----------
    pixel_size_um : float or None
        Edge of a pixel, um; None if unknown, or if X and Y differ by more than 1 %.
    z_step_um : float or None
        Distance between the planes of a Z stack, um; None if unknown.
    fault : str
        Why the pixel size of the file is no size; empty if it is one, or if there is none.
    """

    pixel_size_um: float | None = None
    z_step_um: float | None = None
    fault: str = ""

    @classmethod
    def of(cls, edges_um: list[float], z_steps_um: list[float]) -> "Spacing":
        """Return the spacing by the edges of a pixel, X and Y, and the Z step, none of which may be known."""
        size = _edge_of_square(edges_um)
        fault = ""
        if size is None and len(edges_um) > 1 and all(SMALLEST_UM <= x <= LARGEST_UM for x in edges_um):
            edges = " x ".join(f"{edge:g}" for edge in edges_um)
            fault = f"its pixels are not square, {edges} um"
        return cls(size, _edge_of_square(z_steps_um), fault)


def spacings(tif: TiffFile, count: int) -> list[Spacing]:
    """Return the spacing of each of `count` series of an open TIFF file.

    Sources are OME metadata (``PhysicalSizeX``, ``PhysicalSizeZ`` and their units), also in the
    ``.companion.ome`` that the file names; else ImageJ's (resolution tags, ``spacing`` and unit, except
    inches and centimetres); else the tags of Zeiss LSM (34412); else, for the pixel size alone, those of
    MetaMorph STK (33628) and of the electron microscopes of Zeiss (34118) and FEI (34680, 34682). The
    resolution of any other TIFF is for printing and is ignored.
    """
    if tif.is_ome and tif.ome_metadata:
        found = _ome_spacings(tif.ome_metadata, Path(tif.filehandle.path))
        if len(found) == count:
            return found
        return [found[0] if len(set(found)) == 1 else Spacing()] * count
    if tif.is_imagej:
        return [_imagej_spacing(tif)] * count
    if tif.is_lsm:
        # Thumbnails are not of this size.
        return [_lsm_spacing(tif.lsm_metadata or {}), *[Spacing()] * (count - 1)]
    if tif.is_stk:
        return [Spacing(_stk_pixel_size_um(tif.stk_metadata or {}))] * count
    size = _zeiss_pixel_size_um(tif.sem_metadata or {}) or _fei_pixel_size_um(tif.fei_metadata or {})
    return [Spacing(size)] * count


def spacing_of(um: dict[str, float]) -> Spacing:
    """Return the spacing of voxels, from their sizes, um, by axis: X, Y and Z."""
    x, y, z = (um.get(axis, math.nan) for axis in "XYZ")
    return Spacing.of([x, y], [z])


def jeol_pixel_size_um(path: Path) -> float | None:
    """Return the pixel size, um, from the text that JEOL's electron microscopes save beside an image.

    In ``a.txt`` beside ``a.tif``, ``$$SM_MICRON_MARKER 10um`` is the length of the scale bar, and
    ``$$SM_MICRON_BAR 128`` that length in pixels.
    """
    try:
        text = _text_beside(path.with_suffix(".txt"), SIDECAR_BYTES).decode("latin-1")
    except OSError:
        return None
    bar = re.search(r"^\$\$SM_MICRON_BAR\s+([\d.]+)", text, re.MULTILINE)
    marker = re.search(r"^\$\$SM_MICRON_MARKER\s+([\d.]+)\s*(\S+)", text, re.MULTILINE)
    um = um_per_unit(marker[2]) if marker else None
    if not (bar and marker and um and _number(bar[1]) > 0):
        return None
    return _edge_of_square([um * _number(marker[1]) / _number(bar[1])])


def stated_beside(path: Path) -> str:
    """Return what other files state of the pixel size and the Z step of an image; empty where none does.

    They are the text of `jeol_pixel_size_um`, and the ``.companion.ome`` that an OME-TIFF file names. Z
    steps begin with `Z_STEP`.
    """
    stated = [repr(um)] if (um := jeol_pixel_size_um(path)) else []
    for spacing in _companion_spacings(path):
        stated += [repr(um)] if (um := spacing.pixel_size_um) else []
        stated += [f"{Z_STEP}{um!r}"] if (um := spacing.z_step_um) else []
    return " ".join(stated)


def changed_beside(before: str, now: str) -> str:
    """Return what differs between two answers of `stated_beside`.

    Examples
    --------
    >>> changed_beside("0.3 z1.0", "0.3 z2.0"), changed_beside("", "0.3")
    ('Z step', 'pixel size')
    """
    sizes, steps = (
        [[um for um in stated.split() if um.startswith(Z_STEP) is is_step] for stated in (before, now)]
        for is_step in (False, True)
    )
    changed = {"pixel size": sizes[0] != sizes[1], "Z step": steps[0] != steps[1]}
    return " and ".join(name for name, differs in changed.items() if differs)


def _companion_spacings(path: Path) -> list[Spacing]:
    try:
        with failures(path), path.open("rb") as file:
            if file.read(2) not in (b"II", b"MM"):
                return []
            file.seek(0)
            with TiffFile(file, name=path.name) as tif:
                xml = tif.ome_metadata or "" if tif.is_ome else ""
    except ImageError:
        # It fails where it is opened.
        return []
    return _ome_spacings(xml, path) if "MetadataFile" in xml else []


def _text_beside(path: Path, most: int) -> bytes:
    """Return the first bytes of a file that an image names; an OSError for a device or pipe without end."""
    if not path.is_file():
        raise FileNotFoundError(path)
    with path.open("rb") as file:
        return file.read(most)


def _lsm_spacing(lsm: dict[str, Any]) -> Spacing:
    # Sizes are in metres.
    return spacing_of({axis: 1e6 * float(lsm.get(f"VoxelSize{axis}", math.nan)) for axis in "XYZ"})


def _stk_pixel_size_um(stk: dict[str, Any]) -> float | None:
    um = um_per_unit(str(stk.get("CalibrationUnits", "")))
    lengths = [stk.get(f"{axis}Calibration") for axis in "XY"]
    if um is None or not stk.get("SpatialCalibration"):
        return None
    return _edge_of_square([um * _ratio(length) for length in lengths])


def _ratio(value: Any) -> float:
    match value:
        case (int() as numerator, int() as denominator):
            return numerator / denominator if denominator else math.nan
        case int() | float():
            return float(value)
    return math.nan


def _zeiss_pixel_size_um(sem: dict[str, Any]) -> float | None:
    for key in ("ap_image_pixel_size", "ap_pixel_size"):
        # Name, number and unit.
        match sem.get(key):
            case (_, int() | float() as value, str(unit)):
                return _edge_of_square([value * (um_per_unit(unit) or math.nan)])
    return None


def _fei_pixel_size_um(fei: dict[str, Any]) -> float | None:
    for section in ("Scan", "EScan"):
        # Sizes are in metres.
        match fei.get(section):
            case {"PixelWidth": int() | float() as width, "PixelHeight": int() | float() as height}:
                return _edge_of_square([1e6 * width, 1e6 * height])
    return None


def _ome_spacings(xml: str, path: Path) -> list[Spacing]:
    try:
        # Safe: expat limits the expansion of entities, and tifffile has parsed the same text.
        root = ET.fromstring(xml)  # noqa: S314
        images = [element for element in root.iter() if element.tag.endswith("Pixels")]
        companion = next((e.get("MetadataFile") for e in root.iter() if e.tag.endswith("BinaryOnly")), None)
        if companion:
            with contextlib.suppress(OSError):
                root = ET.fromstring(_text_beside(path.parent / companion, COMPANION_BYTES))  # noqa: S314
            images = [
                element
                for element in root.iter()
                if element.tag.endswith("Pixels")
                and any(part.get("FileName") == path.name for part in element.iter())
            ]
    except ET.ParseError:
        return []
    return [_spacing_of_pixels_element(element.attrib) for element in images]


def _spacing_of_pixels_element(attributes: dict[str, str]) -> Spacing:
    um, others = {}, []
    for axis in "XYZ":
        value = attributes.get(f"PhysicalSize{axis}")
        if value is not None:
            # The OME schema (2016-06) defines um as the default unit.
            name = attributes.get(f"PhysicalSize{axis}Unit", "µm").strip()
            unit = OME_UM_PER_UNIT.get(name) or um_per_unit(name)
            um[axis] = _number(value) * (unit or math.nan)
            others += [name] * (unit is None and axis != "Z")
    z_step = [um.pop("Z")] if "Z" in um else []
    spacing = Spacing.of(list(um.values()), z_step)
    if others:
        return replace(spacing, fault=f"its pixel size is in {others[0]!r}, which is no known length")
    return spacing


def _imagej_spacing(tif: TiffFile) -> Spacing:
    facts = tif.imagej_metadata or {}
    unit = str(facts.get("unit", ""))
    # Centimetres are the print resolution of uncalibrated files.
    um = um_per_unit(unit)
    um = None if um == UM_PER_UNIT["cm"] else um
    tags = tif.pages.first.tags
    resolutions = [tags.valueof(code) for code in (282, 283)]
    if um is None or None in resolutions:
        return Spacing()
    # A resolution is a fraction: pixels per unit. ImageJ ignores the sign of `spacing`.
    return Spacing.of(
        [um * d / n if n else math.nan for n, d in resolutions],
        [um * abs(_number(str(facts.get("spacing"))))],
    )


def um_per_unit(unit: str) -> float | None:
    """Return the micrometres in a unit of length, in any spelling; None if it is unknown."""
    name = unit.strip().strip('\0"').lower()
    # Both Unicode letters for micro, and those that ImageJ and others escape.
    for micro in ("\\u00b5", "\\u03bc", "µ", "μ"):
        name = name.replace(micro, "u")
    name = re.sub(r"(?<=met)re(s?)$", r"er\1", name.replace(" ", ""))
    return UM_PER_UNIT.get(name, UM_PER_UNIT.get(name.removesuffix("s")))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _edge_of_square(lengths: list[float]) -> float | None:
    if not lengths or not all(SMALLEST_UM <= x <= LARGEST_UM for x in lengths):
        return None
    shortest, longest = min(lengths), max(lengths)
    if longest > shortest * (1 + TOLERANCE):
        return None
    # The geometric mean preserves areas; equal lengths are returned unchanged, without rounding.
    return shortest if shortest == longest else math.sqrt(shortest * longest)
