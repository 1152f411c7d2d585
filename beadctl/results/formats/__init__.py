"""Output files of a segmented image: an enum, and one small file a member.

A new output is one module, named by its value, with the functions of `Format`, and one line of `Output`.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from beadctl.images import Plane
    from beadctl.segmentation.plane import Segmented


class Output(StrEnum):
    """An output file that a run writes beside its tables."""

    MASKS = "masks"
    OVERLAYS = "overlays"
    ROIS = "rois"
    GEOJSON = "geojson"
    COCO = "coco"
    CROPS = "crops"
    PROBABILITY = "probability"
    PYRAMIDS = "pyramids"


class Format(Protocol):
    """What the module of an output has."""

    def paths(self, image: PurePosixPath, planes: int) -> list[PurePosixPath]:
        """Return the files that an image with so many planes gives, below the folder of results."""

    def encode(self, image: NDArray[Any], segmented: Segmented, plane: Plane) -> Any:
        """Return what is kept of one plane until all planes of its image are done: small, encoded."""

    def write(self, paths: Sequence[Path], planes: Sequence[Any]) -> None:
        """Write the encoded planes of an image to the files that `paths` named, each whole or not at all."""


@runtime_checkable
class Joinable(Protocol):
    """What the module of an output has of which a run writes one more file, made of those of its images."""

    JOINED: str

    def join(self, path: Path, parts: Sequence[tuple[PurePosixPath, Path]]) -> None:
        """Write the file of images, given by their names in the tables and their own files, or none of it."""


def format_of(output: Output) -> Format:
    """Return the module of an output."""
    return cast("Format", import_module(f"{__name__}.{output.value}"))


def stem(image: PurePosixPath) -> str:
    """Return an image's name without its suffix, to which an output adds its own."""
    return image.stem.removesuffix(".ome")


def plane_names(image: PurePosixPath, planes: int) -> list[str]:
    """Return a stem for each plane: that of the image, numbered where there are several."""
    name = stem(image)
    return [name] if planes == 1 else [f"{name}_p{index:04d}" for index in range(planes)]
