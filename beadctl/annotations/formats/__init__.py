"""Formats of annotations: an enum, and one file a member.

The module of a member, named by its value, has what `AnnotationReader` lists. Adding a format takes one such
file and one line of `AnnotationFormat`; a new file suffix is also added to `auto.OTHER_SUFFIXES`. The enum
imports nothing heavy.
"""

from __future__ import annotations

from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from beadctl.annotations.canvas import Load
    from beadctl.annotations.head import Head


class AnnotationFormat(StrEnum):
    """A format by its name on the command line."""

    AUTO = "auto"
    LABELS = "labels"
    BINARY = "binary"
    COCO = "coco"
    IMAGEJ = "imagej"
    GEOJSON = "geojson"
    CELLPOSE = "cellpose"
    STARDIST = "stardist"
    YOLO = "yolo"
    CENTRES = "centres"

    def reader(self) -> AnnotationReader:
        """Import the member's module and return it."""
        return cast("AnnotationReader", import_module(f"{__name__}.{self.value}"))


class AnnotationReader(Protocol):
    """What the module of a format has."""

    SUFFIXES: tuple[str, ...]
    """Suffixes of the files that a folder is searched for, lower case."""

    def detects(self, head: Head) -> bool:
        """Whether a file is of this format by its first bytes; the first such member of the enum is taken."""
        ...

    def by_image(self, head: Head, diameter_px: float | None) -> dict[str, Load]:
        """Return, by the name of each image in a file, the function that reads its annotation.

        A file that names no image has the one name ``""``. `diameter_px` is the diameter of beads that are
        marked by their centres.

        Raises
        ------
        AnnotationError
            If the file cannot be read or is of another format.
        SettingsError
            If beads are marked by their centres and no diameter is given.
        """
        ...
