"""Maps of the network: the probability that a pixel belongs to a bead, 0..255 for 0..1, as uint8 OME-TIFF."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.images import Plane
from beadctl.results import stack_tiff
from beadctl.results.formats import stem
from beadctl.results.stack_tiff import EncodedPlane
from beadctl.segmentation.plane import Segmented


def paths(image: PurePosixPath, planes: int) -> list[PurePosixPath]:
    """Return one file for all planes of an image."""
    del planes
    return [PurePosixPath("probability") / image.parent / f"{stem(image)}_probability.tif"]


def encode(image: NDArray[Any], segmented: Segmented, plane: Plane) -> EncodedPlane:
    """Compress the map of a plane; where no network found the beads, 1 in beads and 0 elsewhere."""
    del image
    known = segmented.probability
    return stack_tiff.encoded((segmented.labels > 0) * np.uint8(255) if known is None else known, plane)


def write(paths: Sequence[Path], planes: Sequence[EncodedPlane]) -> None:
    """Write the maps of an image's planes, whole or not at all."""
    (path,) = paths
    stack_tiff.write(path, planes, "probability")
