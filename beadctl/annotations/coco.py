"""COCO JSON: polygons, run lengths and boxes; as it stands, or in the archive that CVAT exports.

Run lengths are exact. Vertices of polygons lie in the plane in which the first pixel is the square from 0 to
1, as in the COCO API. But a file in which all are whole numbers was traced along pixels, as by OpenCV's
``findContours``: there each vertex is the middle of a pixel that belongs to the bead. (Whole numbers of which
every edge runs along a row or a column were traced along the borders of pixels, and are left as they are.)
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from beadctl.annotations import archive, rle
from beadctl.annotations.canvas import Canvas, Labelled, Load
from beadctl.annotations.document import content, parsed, ring
from beadctl.annotations.outline import Ring
from beadctl.errors import AnnotationError


@dataclass(frozen=True)
class Entry:
    """An image of the file and its annotations.

    Attributes
    ----------
    shape : tuple of float or None
        Height and width, px, where the file says them.
    annotations : tuple of mapping
        As they stand in the file.
    """

    shape: tuple[float, float] | None
    annotations: tuple[Mapping[str, Any], ...]


def by_image(path: Path) -> dict[str, Load]:
    """Return how to read the annotation of each image that the file names.

    Parameters
    ----------
    path : Path
        JSON, or a ZIP archive with one JSON file.

    Raises
    ------
    AnnotationError
        If it cannot be read, or is not COCO.
    """
    document = parsed(path, archive.document(path) if archive.is_archive(path) else content(path))
    images, annotations = _lists(path, document)
    held: dict[Any, list[Mapping[str, Any]]] = {}
    names: dict[Any, str] = {}
    known: set[str] = set()
    for image in images:
        name, key = image.get("file_name"), image.get("id")
        if not (isinstance(name, str) and name and isinstance(key, int | str)):
            raise AnnotationError(f"{path}: an image has no id or no file_name; export the annotations again")
        if key in held or name in known:
            raise AnnotationError(f"{path}: lists {name} twice, or two images of one id; export it again")
        held[key], names[key] = [], name
        known.add(name)
    for annotation in annotations:
        key = annotation.get("image_id")
        if not isinstance(key, int | str) or key not in held:
            raise AnnotationError(
                f"{path}: annotation {annotation.get('id')} is of an image that is not listed ({key});"
                " export it again, whole"
            )
        held[key].append(annotation)
    on_middles = _traced_along_pixels(path, annotations)
    return {
        names[image["id"]]: partial(
            _painted,
            path,
            Entry(_shape(image), tuple(held[image["id"]])),
            on_middles=on_middles,
        )
        for image in images
    }


def _lists(path: Path, document: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    found = document if isinstance(document, dict) else {}
    lists = [found.get(key) for key in ("images", "annotations")]
    for one in lists:
        if not isinstance(one, list) or not all(isinstance(item, dict) for item in one):
            kind = f"an object of {', '.join(map(str, found)) or 'nothing'}" if found else "no object"
            raise AnnotationError(
                f"{path}: JSON, but not COCO, which has lists of images and annotations (this is {kind});"
                " export it as COCO or GeoJSON"
            )
    images, annotations = lists
    assert images is not None
    assert annotations is not None
    return images, annotations


def _shape(image: Mapping[str, Any]) -> tuple[float, float] | None:
    height, width = image.get("height"), image.get("width")
    return (height, width) if isinstance(height, int | float) and isinstance(width, int | float) else None


def _polygons(annotation: Mapping[str, Any]) -> list[Any] | None:
    segmentation = annotation.get("segmentation")
    if not isinstance(segmentation, list) or not segmentation:
        return None
    # A single polygon is written without the list around it by some.
    return [segmentation] if isinstance(segmentation[0], int | float) else segmentation


def _traced_along_pixels(path: Path, annotations: Iterable[Mapping[str, Any]]) -> bool:
    """Whether vertices are middles of pixels: all whole numbers, and some edge is slanted."""
    slanted = False
    for annotation in annotations:
        for polygon in _polygons(annotation) or ():
            points = ring(polygon, path, _name(annotation))
            if (points != np.rint(points)).any():
                return False
            slanted = slanted or bool((np.diff(points, axis=0) != 0).all(axis=1).any())
    return slanted


def _painted(path: Path, entry: Entry, shape: tuple[int, int], *, on_middles: bool) -> Labelled:
    """Paint the annotations of an image; the module's docstring says where vertices lie."""
    if entry.shape and entry.shape != shape:
        size, wanted = ("x".join(f"{length:g}" for length in one) for one in (entry.shape, shape))
        raise AnnotationError(
            f"{path}: was drawn on an image of {size} px, this one has {wanted}; give this image's annotation"
        )
    canvas = Canvas(path, shape)
    if on_middles:
        canvas.note("COCO polygons of whole numbers: each vertex is taken as a pixel of the bead")
    for annotation in entry.annotations:
        if _is_crowd(annotation):
            canvas.count("crowd regions (iscrowd) are left out: their beads count as background")
        else:
            _paint(canvas, path, annotation, shape, 0.0 if on_middles else 0.5)
    return canvas.finish()


def _is_crowd(annotation: Mapping[str, Any]) -> bool:
    """Whether an annotation marks many beads at once.

    CVAT, which gives every annotation the attribute ``occluded``, sets ``iscrowd`` on every bead that was
    painted with a brush.
    """
    attributes = annotation.get("attributes")
    from_cvat = isinstance(attributes, dict) and "occluded" in attributes
    return bool(annotation.get("iscrowd")) and not from_cvat


def _paint(
    canvas: Canvas, path: Path, annotation: Mapping[str, Any], shape: tuple[int, int], offset: float
) -> None:
    name, segmentation = _name(annotation), annotation.get("segmentation")
    if isinstance(segmentation, dict):
        try:
            canvas.pixels(*rle.pixels(segmentation.get("counts"), segmentation.get("size"), shape))
        except ValueError as error:
            raise AnnotationError(f"{path}: {name} {error}; export it again") from None
    elif (polygons := _polygons(annotation)) is not None:
        canvas.outline(_parts(polygons, path, name, offset), name)
    elif isinstance(box := annotation.get("bbox"), list) and len(box) == 4:
        (y, x), (height, width) = (ring(pair, path, name)[0] for pair in (box[:2], box[2:]))
        if not (height > 0 and width > 0):
            raise AnnotationError(f"{path}: {name} has a box without an area; export it again")
        canvas.note("boxes without an outline: the ellipse in the box is taken as the bead")
        canvas.ellipse((y + height / 2 - 0.5, x + width / 2 - 0.5), (height / 2, width / 2), name)
    else:
        raise AnnotationError(f"{path}: {name} has neither segmentation nor bbox; export it with outlines")


def _parts(polygons: Sequence[Any], path: Path, name: str, offset: float) -> list[list[Ring]]:
    return [[ring(polygon, path, name) - offset] for polygon in polygons]


def _name(annotation: Mapping[str, Any]) -> str:
    return f"annotation {annotation.get('id')}"
