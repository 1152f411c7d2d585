"""Tables of bead centres: a row a bead, painted as discs of one diameter.

Coordinates are in px with the centre of the first pixel at (0, 0), as trackpy, scikit-image, napari and
beadctl write them. Only the Results table of ImageJ counts from the corner of that pixel. Where the image has
a scale, ImageJ measures in its units and names none: such a table is refused where its areas show it.
"""

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from beadctl.annotations.canvas import Canvas, Labelled, Load, Remark
from beadctl.annotations.document import FARTHEST_PX, text
from beadctl.annotations.head import Head
from beadctl.annotations.outline import PIXEL_CENTRE
from beadctl.errors import AnnotationError, SettingsError

SUFFIXES = (".csv", ".tsv", ".txt")
# Names of the columns of y and x, in lower case with _ for every other character.
COLUMN_PAIRS = (
    ("y", "x"), ("y_px", "x_px"), ("row", "col"), ("row", "column"), ("r", "c"), ("centroid_y", "centroid_x"),
    ("centroid_1", "centroid_2"), ("centroid_0", "centroid_1"), ("center_y", "center_x"),
    ("centre_y", "centre_x"), ("cy", "cx"), ("axis_1", "axis_2"), ("axis_0", "axis_1"),
)  # fmt: skip
IMAGE_COLUMNS = ("image", "image_name", "file", "file_name", "filename")
PLANE_COLUMNS = ("plane", "frame", "slice")
# A column of y in a length: "Y (um)", "y_nm", "y [µm]".
LENGTH_OF_Y = re.compile(r"[Yy][ _]?[(\[]?([uµμnm]m|microns?)[)\]]?")
# A table with X, Y and one of these columns is a Results table of ImageJ.
IMAGEJ_COLUMNS = {"Area", "Mean", "Min", "Max", "XM", "YM", "IntDen", "RawIntDen", "Feret", "Circ.", "Round"}
# Beside these, X and Y are the corner of a box, as in the lists of ImageJ's ROI Manager and overlays.
BOX = {"width", "height"}
# ImageJ's selections with an area measure whole pixels; its lines have a length too.
AREA, LENGTH = "Area", "Length"
WHOLE_TO = 1e-6
# Centres of which none is beyond such a share of height and width, and which chance would not put there.
CORNER_SHARE, CORNER_CHANCE = 0.75, 1e-3
CORNER = Remark(
    "bead centres: all in the upper left corner",
    remedy="they count as px; if they are in um, as ImageJ measures where the image has a scale, save the "
    "selections as regions, or divide by the pixel size; a column y (px) says that they are not",
)


def required(diameter_px: float | None, path: Path) -> float:
    """Return the diameter of the beads in the file at `path`; a `SettingsError` if it is not given."""
    if diameter_px is None:
        raise SettingsError(
            f"{path}: marks beads by their centres; say how wide a bead is with --centre-diameter PX"
        )
    return diameter_px


def detects(head: Head) -> bool:
    """Whether a file is a table by its suffix and columns, or begins with a header of several columns."""
    return head.kind == "table"


def by_image(head: Head, diameter_px: float | None) -> dict[str, Load]:
    """Return how to read each image's rows, by one of `IMAGE_COLUMNS`; see `AnnotationReader.by_image`.

    The delimiter is a comma, a semicolon or a tab. With semicolons, numbers may have a decimal comma.
    """
    path = head.path
    centres: dict[str, list[tuple[float, float]]] = {}
    planes: dict[str, set[str]] = {}
    in_px = True
    for row in _rows(path):
        planes.setdefault(row.image, set()).add(row.plane)
        centres.setdefault(row.image, []).append(row.centre)
        in_px = row.in_px
    for image, numbers in planes.items():
        if len(numbers) > 1:
            raise AnnotationError(
                f"{path}: holds {len(numbers)} planes of {image or 'its image'}; keep the rows of one"
            )
    diameter = required(diameter_px, path)
    return {
        image: partial(_painted, path, np.array(points).reshape(-1, 2), diameter, in_px)
        for image, points in (centres or {"": []}).items()
    }


def _painted(
    path: Path, centres: NDArray[np.float64], diameter_px: float, in_px: bool, shape: tuple[int, int]
) -> Labelled:
    canvas = Canvas(path, shape)
    canvas.note(f"bead centres: painted as discs of {diameter_px:g} px")
    canvas.discs(centres, diameter_px)
    found = canvas.finish()
    if in_px or not _in_corner(centres, shape):
        return found
    return replace(found, remarks=(*found.remarks, CORNER))


def _in_corner(centres: NDArray[np.float64], shape: tuple[int, int]) -> bool:
    """Whether centres leave the lower and the right part of the image empty, as lengths in um do."""
    share = float(((centres + PIXEL_CENTRE) / shape).max(initial=0.0))
    return 0 < share <= CORNER_SHARE and share ** (2 * len(centres)) < CORNER_CHANCE


class _Row(NamedTuple):
    """A bead: names of image and plane, centre, and whether its heading says that this is in px."""

    image: str
    plane: str
    centre: tuple[float, float]
    in_px: bool


def _rows(path: Path) -> Iterator[_Row]:
    """Yield the beads."""
    content = text(path)
    delimiter = max("\t;,", key=content.lstrip().partition("\n")[0].count)
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter)
    try:
        header = next((row for row in reader if any(cell.strip() for cell in row)), [])
        columns = _columns(path, header)
        for number, row in enumerate(reader, start=2):
            if not any(cell.strip() for cell in row):
                continue
            if len(row) < len(header):
                raise AnnotationError(
                    f"{path}, row {number}: has {len(row)} of {len(header)} columns; complete it"
                )
            image, plane = ("" if index is None else row[index].strip() for index in columns.names)
            if columns.image_is_label:
                # ImageJ's labels end with the slice or the region: "beads.tif:0001-0042".
                image = image.split(":")[0]
            cells = (row[index].replace(",", ".") if delimiter == ";" else row[index] for index in columns.yx)
            if columns.area is not None and _is_fraction(row[columns.area].replace(",", ".")):
                raise AnnotationError(
                    f"{path}, row {number}: its {AREA} is no number of pixels, so ImageJ measured in units "
                    "of the image's scale; save the selections as regions, or divide X and Y by the pixel "
                    "size and name them X (px) and Y (px)"
                )
            y, x = (_number(cell, f"{path}, row {number}") - columns.offset for cell in cells)
            yield _Row(image, plane, (y, x), columns.in_px)
    except csv.Error as error:
        raise AnnotationError(f"{path}: is not a table ({error}); save it as CSV") from None


@dataclass(frozen=True)
class _Columns:
    """Indices of the columns y and x, of image and plane, and of areas that show the unit.

    The offset is the place of the first pixel's centre.
    """

    yx: tuple[int, int]
    names: tuple[int | None, ...]
    image_is_label: bool
    offset: float
    in_px: bool
    area: int | None


def _columns(path: Path, header: Sequence[str]) -> _Columns:
    names = [_plain(name) for name in header]
    pair = next((pair for pair in COLUMN_PAIRS if set(pair) <= set(names)), None)
    written = [_without_px(name) for name in header]
    if pair is None:
        for name in header:
            if unit := LENGTH_OF_Y.fullmatch(name.strip()):
                raise AnnotationError(
                    f"{path}: has bead centres in {unit[1]}; divide them by the pixel size, and name the "
                    "columns y_px and x_px"
                )
        found = ", ".join(name.strip() for name in header if name.strip()) or "none"
        raise AnnotationError(
            f"{path}: has no columns of bead centres (found: {found}); name them y and x, in px"
        )
    from_imagej = {"X", "Y"} <= set(written) and not IMAGEJ_COLUMNS.isdisjoint(written)
    if pair[0] in ("y", "y_px") and set(names) >= BOX and not from_imagej:
        raise AnnotationError(
            f"{path}: lists boxes, whose X and Y are a corner, as ImageJ's ROI Manager does; save the "
            "regions themselves (More > Save), or name the columns of centres cy and cx"
        )
    # In ImageJ's tables a label names the image; elsewhere it is the number of the bead.
    image_columns = (*IMAGE_COLUMNS, "label") if from_imagej else IMAGE_COLUMNS
    image = next((name for name in image_columns if name in names), None)
    # The first of three axes is the plane.
    first_axes = {"axis_1": "axis_0", "centroid_1": "centroid_0"}
    plane = next((name for name in (first_axes.get(pair[0]), *PLANE_COLUMNS) if name in names), None)
    in_px = "px" in header[names.index(pair[0])].lower()
    shows_unit = from_imagej and not in_px and AREA in written and LENGTH not in written
    return _Columns(
        (names.index(pair[0]), names.index(pair[1])),
        tuple(None if name is None else names.index(name) for name in (image, plane)),
        image == "label",
        PIXEL_CENTRE if from_imagej else 0.0,
        in_px,
        written.index(AREA) if shows_unit else None,
    )


def _without_px(name: str) -> str:
    return name.replace("[px]", "").replace("(px)", "").strip()


def _plain(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in _without_px(name.lower()))


def _is_fraction(cell: str) -> bool:
    try:
        value = float(cell)
    except ValueError:
        return False
    return math.isfinite(value) and abs(value - round(value)) > WHOLE_TO


def _number(cell: str, place: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = float("nan")
    if not abs(value) < FARTHEST_PX:
        raise AnnotationError(f"{place}: {cell!r} is not a coordinate in px; correct it")
    return value
