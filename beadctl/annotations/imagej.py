"""Regions of ImageJ and Fiji: a ``.roi`` file, or the ``.zip`` of the ROI Manager.

ImageJ counts from the corner of the first pixel, and a pixel is in a region when its middle is; only points
without fractions name a pixel. Regions with an area are beads, points are bead centres, lines are neither.
Archives are read a region at a time.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from beadctl.annotations import archive
from beadctl.annotations.canvas import Canvas, Labelled
from beadctl.annotations.centres import needed
from beadctl.annotations.document import content
from beadctl.annotations.outline import Ring
from beadctl.errors import AnnotationError, MissingExtraError

if TYPE_CHECKING:
    from roifile import ImagejRoi

CORNER = 0.5


def read(path: Path, shape: tuple[int, int], *, diameter_px: float | None = None) -> Labelled:
    """Paint the regions of a file.

    Parameters
    ----------
    path : Path
        ``.roi`` or ``.zip``.
    shape : tuple of int
        Height and width of the image.
    diameter_px : float, optional
        Of the beads that are marked by points.

    Raises
    ------
    AnnotationError
        If the file cannot be read, holds regions of several planes, or one lies outside the image.
    SettingsError
        If there are points and no diameter.
    """
    canvas = Canvas(path, shape)
    points: list[NDArray[np.float64]] = []
    planes: set[tuple[int, int, int]] = set()
    for name, region in _regions(path):
        planes.add((region.position, region.z_position, region.t_position))
        _add(canvas, path, name, region, points)
    # Regions without a place in the stack are those of every plane.
    planes.discard((0, 0, 0))
    if len(planes) > 1:
        raise AnnotationError(
            f"{path}: holds regions of {len(planes)} planes of a stack; save those of one plane by themselves"
        )
    if points:
        canvas.discs(np.concatenate(points), needed(diameter_px, path))
    return canvas.finish()


def _regions(path: Path) -> Iterator[tuple[str, "ImagejRoi"]]:
    try:
        from roifile import ImagejRoi
    except ModuleNotFoundError:
        raise MissingExtraError(
            f"{path}: needs roifile, which is not installed; pip install roifile"
        ) from None
    # Without a handler its warnings would go to the terminal; what they are about is counted here.
    logging.getLogger("roifile").addHandler(logging.NullHandler())
    found = archive.regions(path) if archive.is_archive(path) else iter([(path.name, content(path))])
    for name, data in found:
        try:
            yield name, ImagejRoi.frombytes(data)
        except Exception as error:
            # Foreign bytes make it raise nearly anything, from numpy, struct and its own checks.
            words = " ".join(str(error).split())
            raise AnnotationError(f"{path}: {name} is damaged ({words}); save it again in ImageJ") from None


def _add(
    canvas: Canvas, path: Path, name: str, region: "ImagejRoi", points: list[NDArray[np.float64]]
) -> None:
    from roifile import ROI_SUBTYPE, ROI_TYPE

    drawing = region.subtype in (ROI_SUBTYPE.TEXT, ROI_SUBTYPE.ARROW, ROI_SUBTYPE.IMAGE)
    areas = (ROI_TYPE.POLYGON, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED)
    if drawing:
        canvas.count("texts, arrows and pictures are left out")
    elif region.roitype == ROI_TYPE.POINT:
        points.append(_rings(path, name, region)[0] - (CORNER if region.subpixelresolution else 0.0))
    elif region.composite or region.roitype in areas:
        canvas.outline([[ring - CORNER for ring in _rings(path, name, region)]], name)
    elif region.roitype in (ROI_TYPE.OVAL, ROI_TYPE.RECT):
        top, left, bottom, right = _bounds(region)
        if not (bottom > top and right > left):
            canvas.count("outlines have no area and are left out")
        elif region.roitype == ROI_TYPE.OVAL:
            centre = (top + bottom) / 2 - CORNER, (left + right) / 2 - CORNER
            canvas.ellipse(centre, ((bottom - top) / 2, (right - left) / 2), name)
        else:
            corners = np.array([(top, left), (top, right), (bottom, right), (bottom, left)])
            canvas.outline([[corners - CORNER]], name)
    else:
        canvas.count("lines and angles are left out")


def _bounds(region: "ImagejRoi") -> tuple[float, float, float, float]:
    if region.subpixelrect:
        return region.yd, region.xd, region.yd + region.heightd, region.xd + region.widthd
    return region.top, region.left, region.bottom, region.right


def _rings(path: Path, name: str, region: "ImagejRoi") -> list[Ring]:
    try:
        rings = [np.asarray(one, np.float64)[:, ::-1] for one in region.coordinates(multi=True)]
    except Exception as error:
        words = " ".join(str(error).split())
        raise AnnotationError(f"{path}: {name} cannot be read ({words}); save it again in ImageJ") from None
    if not rings or not all(np.isfinite(one).all() for one in rings):
        raise AnnotationError(f"{path}: {name} has no outline; save it again in ImageJ")
    return rings
