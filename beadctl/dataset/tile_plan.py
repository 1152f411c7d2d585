"""What cutting tiles would do, for ``tile --dry-run``."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from beadctl.annotations.sample import Sample
from beadctl.dataset.tiling import TilingOptions
from beadctl.errors import BeadctlError
from beadctl.images import only_plane

HEADS = ("image", "annotation", "split", "px", "beads", "tiles")
"""Columns of the printed plan."""


@dataclass(frozen=True)
class PlannedImage:
    """What `tile_writer.cut` would make of an annotated image.

    Attributes
    ----------
    sample : Sample
        The annotated image.
    split : str
        Its split; empty if it cannot be used.
    height, width : int
        Of the image, px.
    beads, tiles : int
        Number of beads, and of tiles including empty ones.
    reason : str
        Why it cannot be used; empty if it can.
    """

    sample: Sample
    split: str
    height: int = 0
    width: int = 0
    beads: int = 0
    tiles: int = 0
    reason: str = ""


def plan_tiles(samples: Sequence[Sample], options: TilingOptions) -> tuple[PlannedImage, ...]:
    """Return what `tile_writer.cut` would do with these arguments; no pixels of the images are read."""
    images = []
    for sample in samples:
        try:
            plane = only_plane(sample.image, options.read)
            labels = sample.load((plane.height, plane.width)).labels
        except BeadctlError as error:
            images.append(PlannedImage(sample, "", reason=str(error)))
            continue
        tiles = len(list(options.corners(labels.shape)))
        beads = int(np.count_nonzero(np.bincount(labels.ravel())[1:]))
        images.append(PlannedImage(sample, "train", plane.height, plane.width, beads, tiles))
    density = {
        image.sample.name: image.beads / (image.height * image.width) for image in images if image.split
    }
    splits = options.split(list(density), density) if density else {}
    return tuple(dataclasses.replace(image, split=splits.get(image.sample.name, "")) for image in images)


def rows(plan: Sequence[PlannedImage]) -> list[tuple[str, ...]]:
    """Return the usable images of a plan as rows of text under `HEADS`."""
    return [
        (
            image.sample.name,
            image.sample.truth.name,
            image.split,
            f"{image.height} x {image.width}",
            str(image.beads),
            str(image.tiles),
        )
        for image in plan
        if not image.reason
    ]
