"""Regions for ImageJ's ROI Manager: a zip of an image with one region a bead."""

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from beadctl.files import atomic
from beadctl.images import Plane
from beadctl.results.formats import stem
from beadctl.results.outlines import Ring, Shape, shapes
from beadctl.results.packed import pack, unpacked
from beadctl.results.stack_tiff import axes_of
from beadctl.segmentation.plane import Segmented

if TYPE_CHECKING:
    from roifile import ImagejRoi

# ImageJ takes whole numbers up to this for corners of regions.
LARGEST_PX = 60_535
# Commands of Java's PathIterator, by which ImageJ stores regions of several parts.
MOVE, LINE, CLOSE = 0, 1, 4
# Zip has no earlier date: equal regions give equal bytes.
DATE = (1980, 1, 1, 0, 0, 0)
UNIX = 3


def paths(image: PurePosixPath, planes: int) -> list[PurePosixPath]:
    """Return one file for all planes of an image."""
    del planes
    return [PurePosixPath("rois") / image.parent / f"{stem(image)}_rois.zip"]


def encode(image: NDArray[Any], segmented: Segmented, plane: Plane) -> bytes:
    """Return names and regions of the beads of a plane in turn, packed.

    Outlines run along the edges of pixels, as those of ImageJ's wand do; holes are left out. A region has the
    number of its bead as its name, in a stack after that of its plane: ``0012`` or ``p0003_0012``.
    """
    del image
    return pack(_records(segmented, plane))


def write(paths: Sequence[Path], planes: Sequence[bytes]) -> None:
    """Write the regions of an image's planes as one zip, whole or not at all."""
    (path,) = paths
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as file:
        for packed in planes:
            records = unpacked(packed)
            for name, region in zip(records, records, strict=True):
                entry = zipfile.ZipInfo(f"{name.decode()}.roi", DATE)
                entry.compress_type, entry.create_system = zipfile.ZIP_DEFLATED, UNIX
                entry.external_attr = 0o644 << 16
                file.writestr(entry, region, compresslevel=1)


def _records(segmented: Segmented, plane: Plane) -> Iterator[bytes]:
    before = f"p{plane.index:04d}_" if plane.position else ""
    for shape in shapes(segmented.labels, segmented.table.label):
        region = _region(shape)
        region.name = f"{before}{shape.label:04d}"
        for axis, number in _place(plane).items():
            setattr(region, axis, number)
        yield region.name.encode()
        yield region.tobytes()


def _place(plane: Plane) -> dict[str, int]:
    """Return the place of a plane in its stack as ImageJ counts it: one number, or one for each axis."""
    places = {axis: int(at) + 1 for axis, at in axes_of(plane).items() if axis != "series"}
    if len(places) == 1:
        return {"position": next(iter(places.values()))}
    return {f"{axis.lower()}_position": places[axis] for axis in "CZT" if axis in places}


def _region(shape: Shape) -> "ImagejRoi":
    from roifile import ROI_TYPE, ImagejRoi

    rings = shape.outer()
    corners = np.concatenate(rings)
    left, top = corners.min(axis=0).tolist()
    right, bottom = corners.max(axis=0).tolist()
    if len(rings) == 1 and max(right, bottom) <= LARGEST_PX:
        # A traced region has its right and lower border at its largest corner.
        points = corners - (left, top)
        region = ImagejRoi(roitype=ROI_TYPE.TRACED, integer_coordinates=points, n_coordinates=len(points))
    else:
        path = np.concatenate([_path(ring) for ring in rings]).astype(np.float32)
        region = ImagejRoi(roitype=ROI_TYPE.RECT, multi_coordinates=path, shape_roi_size=len(path))
    region.left, region.top, region.right, region.bottom = left, top, right, bottom
    return region


def _path(ring: Ring) -> NDArray[np.float64]:
    """Return a ring as a path of `MOVE`, `LINE` and `CLOSE`, with their points."""
    commands = np.array([MOVE] + [LINE] * (len(ring) - 1))
    return np.append(np.column_stack((commands, ring)).ravel(), CLOSE)
