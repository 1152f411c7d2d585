"""Outlines as GeoJSON (RFC 7946) for QuPath: one feature a bead, with its measurements."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from numpy.typing import NDArray

from beadctl.files import atomic
from beadctl.images import Plane
from beadctl.results.formats import plane_names
from beadctl.results.outlines import Ring, shapes
from beadctl.results.packed import pack, unpacked
from beadctl.segmentation.bead_table import COLUMNS
from beadctl.segmentation.plane import Segmented

MEASURED = tuple(name for name in COLUMNS if name not in ("label", "flags"))


def paths(image: PurePosixPath, planes: int) -> list[PurePosixPath]:
    """Return one file a plane."""
    folder = PurePosixPath("geojson") / image.parent
    return [folder / f"{name}.geojson" for name in plane_names(image, planes)]


def encode(image: NDArray[Any], segmented: Segmented, plane: Plane) -> bytes:
    """Return the features of the beads of a plane, packed.

    Coordinates are x and y in px from the corner of the first pixel, as QuPath counts. Outlines run along the
    edges of pixels, so the area of a polygon is that of its bead. A bead in several parts that share no edge
    is a MultiPolygon.
    """
    del image, plane
    return pack(json.dumps(feature).encode() for feature in _features(segmented))


def write(paths: Sequence[Path], planes: Sequence[bytes]) -> None:
    """Write a feature collection a plane, each whole or not at all."""
    for path, packed in zip(paths, planes, strict=True):
        with atomic(path) as temporary, temporary.open("wb") as file:
            file.write(b'{"type": "FeatureCollection", "features": [')
            before = b""
            for feature in unpacked(packed):
                file.write(before + feature)
                before = b",\n"
            file.write(b"]}\n")


def _features(segmented: Segmented) -> Iterator[dict[str, Any]]:
    table = segmented.table
    for bead, shape in zip(table.rows(), shapes(segmented.labels, table.label), strict=True):
        polygons = [[_closed(ring) for ring in rings] for rings in shape.polygons()]
        several = len(polygons) > 1
        geometry = {
            "type": "MultiPolygon" if several else "Polygon",
            "coordinates": polygons if several else polygons[0],
        }
        properties = {
            "objectType": "detection",
            "name": f"bead {bead['label']}",
            "measurements": {name: bead[name] for name in MEASURED if bead[name] is not None},
            "flags": bead["flags"],
        }
        yield {"type": "Feature", "geometry": geometry, "properties": properties}


def _closed(ring: Ring) -> Ring:
    """Return a ring that ends with its first point, as GeoJSON has it."""
    return [*ring, ring[0]]
