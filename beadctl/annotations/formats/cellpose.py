"""Cellpose's ``_cp_outlines.txt``: a line a bead, ``x,y,x,y,...``, the pixels along its rim.

The rim belongs to the bead (Cellpose finds it with OpenCV's ``findContours``), so a bead in one piece and
without a hole is restored exactly. The ``_masks.tif`` that Cellpose writes are label images.
"""

from functools import partial
from pathlib import Path

from beadctl.annotations.canvas import Canvas, Labelled, Load
from beadctl.annotations.document import ring, text
from beadctl.annotations.formats import labels
from beadctl.annotations.head import Head
from beadctl.errors import AnnotationError

SUFFIXES = (*labels.SUFFIXES, ".txt")


def detects(head: Head) -> bool:
    """Whether a file has lines of numbers with commas, or is empty with Cellpose's file name."""
    is_empty_file = not head.text and head.path.stem.endswith("_outlines")
    return head.kind == "numbers" and ("," in head.first_line or is_empty_file)


def by_image(head: Head, diameter_px: float | None) -> dict[str, Load]:
    """Return how to read each image's annotation; see `AnnotationReader.by_image`."""
    if labels.detects(head):
        return labels.by_image(head, diameter_px)
    return {"": partial(_read, head.path)}


def _read(path: Path, shape: tuple[int, int]) -> Labelled:
    canvas = Canvas(path, shape)
    for number, line in enumerate(text(path).splitlines(), start=1):
        name = f"line {number}"
        if not line.strip():
            canvas.count("empty outlines, as Cellpose writes them for beads of a few pixels")
            continue
        try:
            coordinates = [float(word) for word in line.split(",")]
        except ValueError:
            raise AnnotationError(f"{path}: {name} is not x,y,x,y,...; save the outlines again") from None
        canvas.outline([[ring(coordinates, path, name)]], name)
    return canvas.finish()
