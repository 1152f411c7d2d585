"""Regions of ImageJ and Fiji: a ``.roi`` file, or the ``.zip`` of the ROI Manager.

ImageJ counts from the corner of the first pixel, and a pixel is in a region when its centre is; only points
without fractions name a pixel. Regions with an area are beads, points are bead centres, lines are left out.
Archives are read one region at a time.
"""

import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from beadctl.annotations import archive
from beadctl.annotations.canvas import Canvas, Labelled, Load
from beadctl.annotations.document import content, one_line
from beadctl.annotations.formats.centres import required
from beadctl.annotations.head import Head
from beadctl.annotations.outline import PIXEL_CENTRE, Ring
from beadctl.errors import AnnotationError, MissingExtraError

if TYPE_CHECKING:
    from roifile import ImagejRoi

SUFFIXES = (".zip", ".roi")


def detects(head: Head) -> bool:
    """Whether a file is a region, or an archive with regions."""
    return head.start.startswith(b"Iout") or head.holds(".roi")


def by_image(head: Head, diameter_px: float | None) -> dict[str, Load]:
    """Return how to read each image's annotation; see `AnnotationReader.by_image`."""
    is_archive = head.kind == "archive"
    return {"": partial(_read, head.path, is_archive=is_archive, diameter_px=diameter_px)}


def _read(path: Path, shape: tuple[int, int], *, is_archive: bool, diameter_px: float | None) -> Labelled:
    canvas = Canvas(path, shape)
    points: list[NDArray[np.float64]] = []
    planes: set[tuple[int, int, int]] = set()
    for name, region in _regions(path, is_archive=is_archive):
        planes.add((region.position, region.z_position, region.t_position))
        _add(canvas, path, name, region, points)
    # Regions without a position in the stack belong to every plane.
    planes.discard((0, 0, 0))
    if len(planes) > 1:
        raise AnnotationError(
            f"{path}: holds regions of {len(planes)} planes of a stack; save those of one plane by themselves"
        )
    if points:
        canvas.discs(np.concatenate(points), required(diameter_px, path))
    return canvas.finish()


def _regions(path: Path, *, is_archive: bool) -> Iterator[tuple[str, "ImagejRoi"]]:
    try:
        from roifile import ImagejRoi
    except ModuleNotFoundError:
        raise MissingExtraError(
            f"{path}: needs roifile, which is not installed; pip install roifile"
        ) from None
    # Silence roifile's warnings: regions that are left out are counted here.
    logging.getLogger("roifile").addHandler(logging.NullHandler())
    found = archive.regions(path) if is_archive else iter([(path.name, content(path))])
    for name, data in found:
        try:
            yield name, ImagejRoi.frombytes(data)
        except Exception as error:
            # Damaged bytes raise exceptions of numpy, struct and roifile's own checks.
            raise AnnotationError(
                f"{path}: {name} is damaged ({one_line(error)}); save it again in ImageJ"
            ) from None


def _add(
    canvas: Canvas, path: Path, name: str, region: "ImagejRoi", points: list[NDArray[np.float64]]
) -> None:
    from roifile import ROI_SUBTYPE, ROI_TYPE

    drawing = region.subtype in (ROI_SUBTYPE.TEXT, ROI_SUBTYPE.ARROW, ROI_SUBTYPE.IMAGE)
    areas = (ROI_TYPE.POLYGON, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED)
    if drawing:
        canvas.count("texts, arrows and pictures, left out")
    elif region.roitype == ROI_TYPE.POINT:
        points.append(_rings(path, name, region)[0] - (PIXEL_CENTRE if region.subpixelresolution else 0.0))
    elif region.composite or region.roitype in areas:
        canvas.outline([[ring - PIXEL_CENTRE for ring in _rings(path, name, region)]], name)
    elif region.roitype in (ROI_TYPE.OVAL, ROI_TYPE.RECT):
        top, left, bottom, right = _bounds(region)
        if not (bottom > top and right > left):
            canvas.count("outlines without an area, left out")
        elif region.roitype == ROI_TYPE.OVAL:
            centre = (top + bottom) / 2 - PIXEL_CENTRE, (left + right) / 2 - PIXEL_CENTRE
            canvas.ellipse(centre, ((bottom - top) / 2, (right - left) / 2), name)
        else:
            corners = np.array([(top, left), (top, right), (bottom, right), (bottom, left)])
            canvas.outline([[corners - PIXEL_CENTRE]], name)
    else:
        canvas.count("lines and angles, left out")


def _bounds(region: "ImagejRoi") -> tuple[float, float, float, float]:
    if region.subpixelrect:
        return region.yd, region.xd, region.yd + region.heightd, region.xd + region.widthd
    return region.top, region.left, region.bottom, region.right


def _rings(path: Path, name: str, region: "ImagejRoi") -> list[Ring]:
    try:
        rings = [np.asarray(part, np.float64)[:, ::-1] for part in region.coordinates(multi=True)]
    except Exception as error:
        raise AnnotationError(
            f"{path}: {name} cannot be read ({one_line(error)}); save it again in ImageJ"
        ) from None
    if not rings or not all(np.isfinite(part).all() for part in rings):
        raise AnnotationError(f"{path}: {name} has no outline; save it again in ImageJ")
    return rings
