"""Outlines as GeoJSON (RFC 7946) for QuPath: one polygon a bead, with its measurements."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.files import write_text
from beadctl.images import Plane
from beadctl.results.formats import plane_names
from beadctl.segmentation.measure import COLUMNS
from beadctl.segmentation.plane import Segmented

# Decimals of a coordinate: outlines pass half-way between pixels.
DECIMALS = 2
MEASURED = tuple(name for name in COLUMNS if name not in ("label", "flags"))


def paths(image: PurePosixPath, planes: int) -> list[PurePosixPath]:
    """Return one file a plane."""
    folder = PurePosixPath("geojson") / image.parent
    return [folder / f"{name}.geojson" for name in plane_names(image, planes)]


def encode(image: NDArray[Any], segmented: Segmented, plane: Plane) -> str:
    """Return a feature collection of the beads of a plane.

    Coordinates are x and y in px from the corner of the first pixel, as QuPath counts. Outlines pass half-way
    between the pixels inside and outside, so they contain the centres of exactly the bead's pixels.
    """
    from scipy import ndimage

    del image, plane
    boxes = ndimage.find_objects(segmented.labels)
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": _rings(segmented.labels, box, bead["label"])},
            "properties": {
                "objectType": "detection",
                "name": f"bead {bead['label']}",
                "measurements": _measurements(bead),
                "flags": bead["flags"],
            },
        }
        for bead in segmented.table.rows()
        if (box := boxes[int(bead["label"] or 0) - 1])
    ]
    return json.dumps({"type": "FeatureCollection", "features": features})


def write(paths: Sequence[Path], planes: Sequence[str]) -> None:
    """Write the feature collections, each whole or not at all."""
    for path, text in zip(paths, planes, strict=True):
        write_text(path, text + "\n")


def _measurements(bead: Mapping[str, Any]) -> dict[str, float]:
    """Return the known measurements; JSON has no infinity, such as the mean of broken pixels."""
    known = ((name, bead[name]) for name in MEASURED if bead[name] is not None)
    return {name: value for name, value in known if math.isfinite(value)}


def _rings(labels: NDArray[Any], box: tuple[slice, ...], label: object) -> list[list[tuple[float, float]]]:
    """Return the outer ring of a bead, counter-clockwise in x and y, then those of its holes, clockwise."""
    from skimage.measure import find_contours

    mask = np.pad(labels[box] == label, 1).astype(np.float32)
    origin = np.array([box[0].start, box[1].start]) - 0.5
    contours = find_contours(mask, 0.5, fully_connected="high")  # type: ignore[no-untyped-call]
    rings = sorted((contour + origin for contour in contours), key=lambda ring: -abs(_area(ring)))
    turned = [ring if (_area(ring) > 0) == (place == 0) else ring[::-1] for place, ring in enumerate(rings)]
    return [[(round(x, DECIMALS), round(y, DECIMALS)) for y, x in ring.tolist()] for ring in turned]


def _area(ring: NDArray[np.float64]) -> float:
    """Return the area of a closed ring of (y, x), positive where it is counter-clockwise in x and y."""
    y, x = ring.T
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2)
