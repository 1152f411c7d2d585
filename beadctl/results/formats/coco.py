"""Annotations in the format of COCO: run lengths, area and box of each bead, one file an image.

`join` makes one file of those of a run. Each image and each annotation is a line, so that files are read and
written line by line, however many beads they hold.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any

from numpy.typing import NDArray

from beadctl import __version__
from beadctl.annotations import rle
from beadctl.files import atomic
from beadctl.images import Plane
from beadctl.results.formats import plane_names, stem
from beadctl.results.outlines import Shape, shapes
from beadctl.results.packed import pack, unpacked
from beadctl.segmentation.plane import Segmented
from beadctl.text import name_text

JOINED = "coco/coco.json"
"""The file of a whole run."""

HEAD = json.dumps(
    {
        "info": {"description": "beads found by beadctl", "version": __version__},
        "licenses": [],
        "categories": [{"id": 1, "name": "bead", "supercategory": "bead"}],
    }
)
"""What the files of all images begin with; `IMAGES` takes the place of its last brace."""
IMAGES, ANNOTATIONS, END = ', "images": [\n', '\n], "annotations": [\n', "\n]}\n"


def paths(image: PurePosixPath, planes: int) -> list[PurePosixPath]:
    """Return one file for all planes of an image."""
    del planes
    return [PurePosixPath("coco") / image.parent / f"{stem(image)}_coco.json"]


def encode(image: NDArray[Any], segmented: Segmented, plane: Plane) -> bytes:
    """Return what the file says of a plane, and of each of its beads, packed; without numbers."""
    del image
    return pack(json.dumps(record).encode() for record in _records(segmented, plane))


def write(paths: Sequence[Path], planes: Sequence[bytes]) -> None:
    """Write the annotations of an image's planes, whole or not at all; see `join` for the names of planes."""
    (path,) = paths
    records = [json.loads(next(unpacked(packed))) for packed in planes]
    images = _named(PurePosixPath(records[0]["file_name"]), records)
    _save(path, [images], [_numbered(planes)])


def join(path: Path, parts: Sequence[tuple[PurePosixPath, Path]]) -> None:
    """Write the annotations of several images as one file, whole or not at all.

    Parameters
    ----------
    path : Path
        The file.
    parts : sequence of (PurePosixPath, Path)
        Images, as they are named in the tables, and their files that `write` wrote. A plane of a stack is
        named like its overlay, ``film_p0002.tif``; its keys `image` and `plane` are those of the tables.
    """
    images = (_named(name, list(_images(part))) for name, part in parts)
    _save(path, images, (_annotations(part) for _, part in parts))


def _records(segmented: Segmented, plane: Plane) -> Iterator[dict[str, Any]]:
    yield {
        "id": 0,
        "width": plane.width,
        "height": plane.height,
        "file_name": plane.path.name,
        "image": "",
        "plane": plane.index,
    }
    table = segmented.table
    size = plane.height, plane.width
    for bead, shape in zip(table.rows(), shapes(segmented.labels, table.label), strict=True):
        known = {"score": bead["confidence"], "diameter_px": bead["diameter_px"]}
        yield {
            "category_id": 1,
            "segmentation": _segmentation(shape, size),
            "area": bead["area_px"],
            "bbox": [shape.left, shape.top, shape.mask.shape[1], shape.mask.shape[0]],
            "iscrowd": 0,
            "label": bead["label"],
            **{name: value for name, value in known.items() if value is not None},
            "flags": bead["flags"],
        }


def _segmentation(shape: Shape, size: tuple[int, int]) -> dict[str, Any]:
    return {"size": list(size), "counts": rle.compressed(shape.mask, shape.top, shape.left, size)}


def _named(name: PurePosixPath, images: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what a file says of the planes of an image, each with a name of its own."""
    names = plane_names(name, len(images)) if len(images) > 1 else [name.stem]
    files = [name_text(name.with_name(one + name.suffix)) for one in names]
    same = {"image": name_text(name)}
    return [{**image, "file_name": file, **same} for image, file in zip(images, files, strict=True)]


def _numbered(planes: Sequence[bytes]) -> Iterator[tuple[int, str]]:
    """Yield the place of the image and the text of each annotation that was packed."""
    for place, packed in enumerate(planes):
        records = unpacked(packed)
        next(records)
        yield from ((place, record.decode()) for record in records)


def _images(part: Path) -> Iterator[dict[str, Any]]:
    """Yield what a file says of its images."""
    with part.open(encoding="utf-8") as file:
        next(file)
        for line in file:
            if line.startswith("]"):
                return
            yield json.loads(line.rstrip(",\n"))


def _annotations(part: Path) -> Iterator[tuple[int, str]]:
    """Yield the place of the image and the text of each annotation of a file, without their numbers."""
    with part.open(encoding="utf-8") as file:
        for line in file:
            if line.startswith("]"):
                break
        for line in file:
            if line.startswith("{"):
                _, image, rest = line.rstrip(",\n").split(", ", 2)
                yield int(image.partition(": ")[2]) - 1, "{" + rest


def _save(
    path: Path, images: Iterable[Sequence[dict[str, Any]]], annotations: Iterable[Iterable[tuple[int, str]]]
) -> None:
    """Write groups of images and their annotations, these with the place of their image in its group.

    Both get numbers from 1; those of annotations lead, so that `_annotations` need not parse the rest.
    """
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.write(HEAD[:-1] + IMAGES)
        number, firsts, before = 0, list[int](), ""
        for group in images:
            firsts.append(number + 1)
            for image in group:
                number += 1
                file.write(before + json.dumps(image | {"id": number}))
                before = ",\n"
        file.write(ANNOTATIONS)
        numbers, before = count(1), ""
        for first, several in zip(firsts, annotations, strict=True):
            for place, text in several:
                file.write(f'{before}{{"id": {next(numbers)}, "image_id": {first + place}, {text[1:]}')
                before = ",\n"
        file.write(END)
