"""GeoJSON (RFC 7946) as QuPath writes it: polygons, with holes or in several parts, and points.

QuPath counts from the corner of the first pixel; a pixel is in a polygon when its middle is.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from beadctl.annotations.canvas import Canvas, Labelled, Load
from beadctl.annotations.centres import IMAGE_COLUMNS, needed
from beadctl.annotations.document import content, parsed, ring
from beadctl.annotations.outline import Ring
from beadctl.errors import AnnotationError

CORNER = 0.5
# What QuPath calls the objects that it found in an annotated region; older versions say it by the id.
FOUND = ("detection", "cell", "PathDetectionObject", "PathCellObject")

Feature = Mapping[str, Any]


def by_image(path: Path, *, diameter_px: float | None = None) -> dict[str, Load]:
    """Return how to read the annotation of each image that the file names.

    Parameters
    ----------
    path : Path
        GeoJSON.
    diameter_px : float, optional
        Of the beads that are marked by points.

    Returns
    -------
    dict
        By the property ``image`` of the features (or another name of `centres.IMAGE_COLUMNS`); ``""`` for
        a file that names no image.

    Raises
    ------
    AnnotationError
        If it cannot be read, or is no GeoJSON.
    """
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
    found = document.get("features", [document]) if isinstance(document, dict) else document
    if not isinstance(found, list) or not all(
        isinstance(item, dict) and item.get("type") == "Feature" for item in found
    ):
        raise AnnotationError(f"{path}: is no GeoJSON of features; export the objects as GeoJSON again")
    return found


def _painted(
    path: Path, features: Sequence[Feature], shape: tuple[int, int], *, diameter_px: float | None
) -> Labelled:
    canvas = Canvas(path, shape)
    any_found = any(_kind(feature) in FOUND for feature in features)
    points: list[Ring] = []
    planes = set()
    for number, feature in enumerate(features, start=1):
        name = f"feature {number}"
        geometry = feature.get("geometry")
        if any_found and _kind(feature) not in FOUND:
            canvas.count("annotated regions beside QuPath's detections are left out: they are no beads")
            continue
        if not isinstance(geometry, dict):
            canvas.count("features have no geometry and are left out")
            continue
        plane = geometry.get("plane")
        planes.add((plane.get("z"), plane.get("t")) if isinstance(plane, dict) else None)
        parts: list[list[Ring]] = []
        for part in _simple(path, name, geometry):
            match part.get("type"):
                case "Polygon":
                    parts.append(_rings(path, name, part))
                case "Point":
                    points.append(ring([part.get("coordinates")], path, name) - CORNER)
                case _:
                    canvas.count("lines are left out")
        if parts:
            canvas.outline(parts, name)
    if len(planes) > 1:
        raise AnnotationError(
            f"{path}: holds objects of {len(planes)} planes of a stack; export those of one by themselves"
        )
    if points:
        canvas.discs(np.concatenate(points), needed(diameter_px, path))
    return canvas.finish()


def _kind(feature: Feature) -> object:
    known = _properties(feature)
    return known.get("objectType") or known.get("object_type") or feature.get("id")


def _properties(feature: Feature) -> Mapping[str, Any]:
    properties = feature.get("properties")
    return properties if isinstance(properties, dict) else {}


def _simple(path: Path, name: str, geometry: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Take a geometry of several parts apart."""
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
    if not isinstance(lines, list):
        raise AnnotationError(f"{path}: {name} has an outline that is no list of x and y; export it again")
    return [ring(line, path, name) - CORNER for line in lines]
