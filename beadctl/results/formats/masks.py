"""Label images: uint32 OME-TIFF."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from numpy.typing import NDArray

from beadctl.images import Plane
from beadctl.results import stack_tiff
from beadctl.results.formats import stem
from beadctl.results.stack_tiff import EncodedPlane
from beadctl.segmentation.plane import Segmented


def paths(image: PurePosixPath, planes: int) -> list[PurePosixPath]:
    """Return one file for all planes of an image."""
    del planes
    return [PurePosixPath("masks") / image.parent / f"{stem(image)}_masks.tif"]


def encode(image: NDArray[Any], segmented: Segmented, plane: Plane) -> EncodedPlane:
    """Compress a label image: uint32, because 16 bits would wrap at 65,535 beads."""
    del image
    return stack_tiff.encoded(segmented.labels, plane)


def write(paths: Sequence[Path], planes: Sequence[EncodedPlane]) -> None:
    """Write the label images of an image's planes, whole or not at all."""
    (path,) = paths
    stack_tiff.write(path, planes, "labels")
