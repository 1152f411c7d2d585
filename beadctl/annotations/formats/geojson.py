"""GeoJSON (RFC 7946) as QuPath writes it: polygons, with holes or in several parts, and points.

QuPath counts from the corner of the first pixel; a pixel is in a polygon when its centre is.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from beadctl.annotations.canvas import Canvas, Labelled, Load
from beadctl.annotations.document import content, parsed, ring
from beadctl.annotations.formats.centres import IMAGE_COLUMNS, required
from beadctl.annotations.head import Head
from beadctl.annotations.outline import PIXEL_CENTRE, Ring
from beadctl.errors import AnnotationError

SUFFIXES = (".geojson", ".json")
# QuPath's types of detected objects, which lie in annotated regions; older versions write them as the id.
DETECTED = ("detection", "cell", "PathDetectionObject", "PathCellObject")
NO_BEADS = "annotated regions beside QuPath's detections, left out as they are no beads"
"""Words of the remark on annotated regions."""

MARKS = re.compile('"Feature|"coordinates"')
"""Words that features and bare geometries hold."""

Feature = Mapping[str, Any]


def detects(head: Head) -> bool:
    """Whether a file is JSON with features or a geometry; COCO may hold such words, beside annotations."""
    text = head.text or ""
    return head.kind == "json" and bool(MARKS.search(text)) and '"annotations"' not in text


def by_image(head: Head, diameter_px: float | None) -> dict[str, Load]:
    """Return how to read each image's features; see `AnnotationReader.by_image`.

    A feature names its image by the property ``image`` or another of `centres.IMAGE_COLUMNS`.
    """
    path = head.path
    document = parsed(path, content(path))
    features: dict[str, list[Feature]] = {}
    for feature in _features(path, document):
        named = {key.lower(): value for key, value in _properties(feature).items()}
        image = next((named[column] for column in IMAGE_COLUMNS if isinstance(named.get(column), str)), "")
        features.setdefault(image, []).append(feature)
    if len(features) > 1 and "" in features:
        raise AnnotationError(
            f"{path}: {len(features[''])} features name no image and others do; name it in all of them"
        )
    return {
        image: partial(_painted, path, tuple(held), diameter_px=diameter_px)
        for image, held in (features or {"": []}).items()
    }


def _features(path: Path, document: Any) -> list[Feature]:
    if isinstance(document, dict) and not document.keys().isdisjoint(("coordinates", "geometries")):
        # A geometry may be a document (RFC 7946, 2), as Shapely writes it.
        document = {"type": "Feature", "geometry": document}
    found = document.get("features", [document]) if isinstance(document, dict) else document
    if not isinstance(found, list) or not all(
        isinstance(item, dict) and item.get("type") == "Feature" for item in found
    ):
        raise AnnotationError(f"{path}: is not GeoJSON of features; export the objects as GeoJSON again")
    return found


def _painted(
    path: Path, features: Sequence[Feature], shape: tuple[int, int], *, diameter_px: float | None
) -> Labelled:
    canvas = Canvas(path, shape)
    any_detected = any(_kind(feature) in DETECTED for feature in features)
    points: list[Ring] = []
    planes = list[object]()
    for number, feature in enumerate(features, start=1):
        name = f"feature {number}"
        geometry = feature.get("geometry")
        if any_detected and _kind(feature) not in DETECTED:
            canvas.count(NO_BEADS)
            continue
        if not isinstance(geometry, dict):
            canvas.count("features without a geometry, left out")
            continue
        plane = geometry.get("plane")
        place = (plane.get("z"), plane.get("t")) if isinstance(plane, dict) else None
        # No set: what a damaged file has in the place of numbers may have no hash.
        if place not in planes:
            planes.append(place)
        parts: list[list[Ring]] = []
        for part in _simple(path, name, geometry):
            match part.get("type"):
                case "Polygon":
                    parts.append(_rings(path, name, part))
                case "Point":
                    points.append(ring([part.get("coordinates")], path, name) - PIXEL_CENTRE)
                case _:
                    canvas.count("lines, left out")
        if parts:
            canvas.outline(parts, name)
    if len(planes) > 1:
        raise AnnotationError(
            f"{path}: holds objects of {len(planes)} planes of a stack; export those of one by themselves"
        )
    if points:
        canvas.discs(np.concatenate(points), required(diameter_px, path))
    return canvas.finish()


def _kind(feature: Feature) -> object:
    known = _properties(feature)
    return known.get("objectType") or known.get("object_type") or feature.get("id")


def _properties(feature: Feature) -> Mapping[str, Any]:
    properties = feature.get("properties")
    return properties if isinstance(properties, dict) else {}


def _simple(path: Path, name: str, geometry: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the parts of a geometry, none of which has parts itself."""
    kind = geometry.get("type")
    key = "geometries" if kind == "GeometryCollection" else "coordinates"
    held = geometry.get(key)
    if not isinstance(kind, str) or not isinstance(held, list):
        raise AnnotationError(f"{path}: {name} has no coordinates; export it again")
    if kind == "GeometryCollection":
        for part in held:
            yield from _simple(path, name, part if isinstance(part, dict) else {})
    elif kind.startswith("Multi"):
        for part in held:
            yield {"type": kind.removeprefix("Multi"), "coordinates": part}
    else:
        yield geometry


def _rings(path: Path, name: str, polygon: Mapping[str, Any]) -> list[Ring]:
    lines = polygon.get("coordinates")
    return [ring(line, path, name) - PIXEL_CENTRE for line in (lines if isinstance(lines, list) else [lines])]
