"""COCO JSON: polygons, run lengths and boxes; a JSON file, or the archive that CVAT exports.

Run lengths are exact. In the coordinates of polygons the first pixel spans 0 to 1, as in the COCO API. A file
whose vertices are all whole numbers was traced along pixels, as by OpenCV's ``findContours``: each vertex is
the centre of a pixel of the bead. If all of its edges also run along rows and columns, it was traced along
the borders of pixels, and the coordinates are those of the COCO API.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from beadctl.annotations import archive, rle
from beadctl.annotations.canvas import Canvas, Labelled, Load
from beadctl.annotations.document import content, parsed, ring
from beadctl.annotations.formats import geojson
from beadctl.annotations.head import Head
from beadctl.annotations.outline import PIXEL_CENTRE
from beadctl.errors import AnnotationError

SUFFIXES = (".json", ".zip")


@dataclass(frozen=True)
class CocoImage:
    """An image of the file and its annotations.

    Attributes
    ----------
    shape : tuple of float or None
        Height and width, px, where the file has them.
    annotations : tuple of mapping
        As written in the file.
    on_centres : bool
        Whether vertices are centres of pixels.
    """

    shape: tuple[float, float] | None
    annotations: tuple[Mapping[str, Any], ...]
    on_centres: bool


def detects(head: Head) -> bool:
    """Whether a file is JSON without the features of GeoJSON, or an archive with JSON and without regions."""
    in_archive = head.holds(".json") and not head.holds(".roi")
    return in_archive or (head.kind == "json" and not geojson.detects(head))


def by_image(head: Head, diameter_px: float | None) -> dict[str, Load]:
    """Return how to read each image's annotation; see `AnnotationReader.by_image`."""
    path = head.path
    document = parsed(path, archive.document(path) if head.kind == "archive" else content(path))
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
    on_centres = _traced_along_pixels(path, annotations)
    return {
        names[image["id"]]: partial(
            _painted, path, CocoImage(_shape(image), tuple(held[image["id"]]), on_centres)
        )
        for image in images
    }


def _lists(path: Path, document: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    found = document if isinstance(document, dict) else {}
    for entries in (found.get("images"), found.get("annotations")):
        if not isinstance(entries, list) or not all(isinstance(item, dict) for item in entries):
            kind = f"an object of {', '.join(map(str, found)) or 'nothing'}" if found else "no object"
            raise AnnotationError(
                f"{path}: JSON, but not COCO, which has lists of images and annotations (this is {kind});"
                " export it as COCO or GeoJSON"
            )
    return found["images"], found["annotations"]


def _shape(image: Mapping[str, Any]) -> tuple[float, float] | None:
    height, width = image.get("height"), image.get("width")
    return (height, width) if isinstance(height, int | float) and isinstance(width, int | float) else None


def _polygons(annotation: Mapping[str, Any]) -> list[Any] | None:
    segmentation = annotation.get("segmentation")
    if not isinstance(segmentation, list) or not segmentation:
        return None
    # Some programs write a single polygon without the list around it.
    return [segmentation] if isinstance(segmentation[0], int | float) else segmentation


def _traced_along_pixels(path: Path, annotations: Iterable[Mapping[str, Any]]) -> bool:
    """Whether vertices are centres of pixels: all are whole numbers, and some edge is slanted."""
    slanted = False
    for annotation in annotations:
        for polygon in _polygons(annotation) or ():
            points = ring(polygon, path, _name(annotation))
            if (points != np.rint(points)).any():
                return False
            slanted = slanted or bool((np.diff(points, axis=0) != 0).all(axis=1).any())
    return slanted


def _painted(path: Path, image: CocoImage, shape: tuple[int, int]) -> Labelled:
    if image.shape and image.shape != shape:
        size, wanted = ("x".join(f"{length:g}" for length in lengths) for lengths in (image.shape, shape))
        raise AnnotationError(
            f"{path}: was drawn on an image of {size} px, this one has {wanted}; give this image's annotation"
        )
    canvas = Canvas(path, shape)
    if image.on_centres:
        canvas.note("COCO polygons of whole numbers: each vertex is taken as a pixel of the bead")
    for annotation in image.annotations:
        if _is_crowd(annotation):
            canvas.count("crowd regions (iscrowd), left out, whose beads count as background")
        else:
            _paint(canvas, path, annotation, shape, 0.0 if image.on_centres else PIXEL_CENTRE)
    return canvas.finish()


def _is_crowd(annotation: Mapping[str, Any]) -> bool:
    """Whether an annotation marks many beads at once.

    CVAT sets ``iscrowd`` on each bead that was painted with a brush; its annotations have ``occluded``.
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
        canvas.outline([[ring(polygon, path, name) - offset] for polygon in polygons], name)
    elif isinstance(box := annotation.get("bbox"), list) and len(box) == 4:
        (y, x), (height, width) = (ring(pair, path, name)[0] for pair in (box[:2], box[2:]))
        if not (height > 0 and width > 0):
            raise AnnotationError(f"{path}: {name} has a box without an area; export it again")
        canvas.note("boxes without an outline: the ellipse in the box is taken as the bead")
        centre = y + height / 2 - PIXEL_CENTRE, x + width / 2 - PIXEL_CENTRE
        canvas.ellipse(centre, (height / 2, width / 2), name)
    else:
        raise AnnotationError(f"{path}: {name} has neither segmentation nor bbox; export it with outlines")


def _name(annotation: Mapping[str, Any]) -> str:
    return f"annotation {annotation.get('id')}"
