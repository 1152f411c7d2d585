"""An image with its annotation, as `eval`, `audit` and `tile` take it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from beadctl.annotations.canvas import Load
from beadctl.images import Levels


@dataclass(frozen=True, slots=True)
class Sample:
    """An annotated image, not yet read.

    Attributes
    ----------
    name : str
        Name of the image in tables: its path below the folder of images.
    image, truth : Path
        Files of the image and of its annotation.
    load : Load
        Reads the annotation as a label image with remarks, given the image's height and width, px; raises
        `AnnotationError` if it cannot be read or does not belong to an image of this shape.
    source : str
        Name of the image that a tile was cut from; else `name`.
    split : str
        Split of a tile; empty otherwise.
    levels : Levels or None
        Those of the source image of a tile; None to measure it on the image.
    """

    name: str
    image: Path
    truth: Path
    load: Load
    source: str = ""
    split: str = ""
    levels: Levels | None = None


def flat_stem(name: str) -> str:
    """Return the name of an image without its suffix, for files in one folder.

    Examples
    --------
    >>> flat_stem("day1/a.tif")
    'day1_a'
    """
    return "_".join(PurePosixPath(name).with_suffix("").parts)
