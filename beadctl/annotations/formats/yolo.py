"""YOLO text files: a line a bead, its class first, then fractions of the image's width and height.

Four fractions are a box (centre and size), whose inscribed ellipse is taken as the bead; more are the
vertices of an outline. A single number after them is a confidence. An empty file is an image without beads.
"""

from functools import partial
from pathlib import Path

import numpy as np

from beadctl.annotations.canvas import Canvas, Labelled, Load
from beadctl.annotations.document import text
from beadctl.annotations.head import Head
from beadctl.annotations.outline import PIXEL_CENTRE
from beadctl.errors import AnnotationError

SUFFIXES = (".txt",)
# Outlines may end a little beyond the image, whereas coordinates in px are far above 1.
LARGEST_FRACTION = 2.0


def detects(head: Head) -> bool:
    """Whether a file has lines of numbers with spaces, or is empty and not named as Cellpose does."""
    is_of_cellpose = not head.text and head.path.stem.endswith("_outlines")
    return head.kind == "numbers" and "," not in head.first_line and not is_of_cellpose


def by_image(head: Head, diameter_px: float | None) -> dict[str, Load]:
    """Return how to read each image's annotation; see `AnnotationReader.by_image`."""
    return {"": partial(_read, head.path)}


def _read(path: Path, shape: tuple[int, int]) -> Labelled:
    canvas = Canvas(path, shape)
    lines = [(number, line.split()) for number, line in enumerate(text(path).splitlines(), start=1)]
    for number, words in lines:
        if words:
            _paint(canvas, path, f"line {number}", words, shape)
    if not any(words for _, words in lines):
        canvas.note("empty YOLO file: an image without beads")
    return canvas.finish()


def _paint(canvas: Canvas, path: Path, name: str, words: list[str], shape: tuple[int, int]) -> None:
    try:
        values = np.array([float(word) for word in words[1:]])
    except ValueError:
        values = np.zeros(0)
    if len(values) < 4:
        raise AnnotationError(
            f"{path}: {name} is not a class with a box or an outline; export the labels as YOLO again"
        )
    # Boxes and outlines have an even number of values; a confidence may follow.
    values = values[: len(values) // 2 * 2]
    if not (np.abs(values) <= LARGEST_FRACTION).all():
        raise AnnotationError(
            f"{path}: {name} holds {max(values.tolist(), key=abs):g}, but YOLO writes fractions of the image;"
            " divide x by its width and y by its height"
        )
    points = values.reshape(-1, 2)[:, ::-1] * np.array(shape, np.float64)
    if len(points) > 2:
        canvas.outline([[points - PIXEL_CENTRE]], name)
        return
    centre, size = points
    if not (size > 0).all():
        raise AnnotationError(f"{path}: {name} has a box without an area; correct it")
    canvas.note("YOLO boxes: the ellipse in each box is taken as the bead")
    y, x = (centre - PIXEL_CENTRE).tolist()
    canvas.ellipse((y, x), (size[0] / 2, size[1] / 2), name)
