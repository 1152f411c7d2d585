"""YOLO text files: a line a bead, its class first, then fractions of the image's width and height.

Four fractions are a box (centre and size), in which the ellipse is taken as the bead; more are the corners
of an outline. A last, single number is a confidence. An empty file is an image without beads.
"""

from pathlib import Path

import numpy as np

from beadctl.annotations.canvas import Canvas, Labelled
from beadctl.annotations.document import text
from beadctl.errors import AnnotationError

CORNER = 0.5
# Tools let outlines end a little beyond the image, but a coordinate in px is far beyond 1.
FARTHEST = 2.0


def read(path: Path, shape: tuple[int, int]) -> Labelled:
    """Paint the boxes and outlines of a text file.

    Parameters
    ----------
    path : Path
        ``.txt``, of one image.
    shape : tuple of int
        Height and width of the image.

    Raises
    ------
    AnnotationError
        If it cannot be read, or a bead lies outside the image.
    """
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
    # Predictions carry their confidence behind a box or an outline, both of which have an even length.
    values = values[: len(values) // 2 * 2]
    if not (np.abs(values) <= FARTHEST).all():
        raise AnnotationError(
            f"{path}: {name} holds {max(values.tolist(), key=abs):g}, but YOLO writes fractions of the image;"
            " divide x by its width and y by its height"
        )
    scale = np.array(shape, np.float64)
    points = values.reshape(-1, 2)[:, ::-1] * scale
    if len(points) > 2:
        canvas.outline([[points - CORNER]], name)
        return
    centre, size = points
    if not (size > 0).all():
        raise AnnotationError(f"{path}: {name} has a box without an area; correct it")
    canvas.note("YOLO boxes: the ellipse in each box is taken as the bead")
    y, x = (centre - CORNER).tolist()
    canvas.ellipse((y, x), (size[0] / 2, size[1] / 2), name)
