"""Cellpose's ``_cp_outlines.txt``: a line a bead, ``x,y,x,y,...``, the pixels of its rim in turn.

The rim belongs to the bead (Cellpose finds it with OpenCV's ``findContours``), so a bead in one piece and
without a hole comes back pixel by pixel. The ``_masks.tif`` that Cellpose writes are label images.
"""

from pathlib import Path

from beadctl.annotations.canvas import Canvas, Labelled
from beadctl.annotations.document import ring, text
from beadctl.errors import AnnotationError


def read(path: Path, shape: tuple[int, int]) -> Labelled:
    """Paint the outlines of a text file.

    Parameters
    ----------
    path : Path
        As Cellpose writes it.
    shape : tuple of int
        Height and width of the image.

    Raises
    ------
    AnnotationError
        If it cannot be read, or an outline lies outside the image.
    """
    canvas = Canvas(path, shape)
    for number, line in enumerate(text(path).splitlines(), start=1):
        name = f"line {number}"
        if not line.strip():
            canvas.count("outlines are empty: Cellpose writes none for beads of a few pixels")
            continue
        try:
            flat = [float(word) for word in line.split(",")]
        except ValueError:
            raise AnnotationError(f"{path}: {name} is not x,y,x,y,...; save the outlines again") from None
        canvas.outline([[ring(flat, path, name)]], name)
    return canvas.finish()
