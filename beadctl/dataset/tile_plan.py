"""What cutting tiles would do, told before it is done."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from beadctl.annotations.sample import Sample
from beadctl.dataset.tile_writer import TilingOptions, corners
from beadctl.errors import BeadctlError
from beadctl.images import only_plane


@dataclass(frozen=True)
class Planned:
    """What `cut` would make of an annotated image.

    Attributes
    ----------
    sample : Sample
        The annotated image.
    split : str
        Its side; empty if it cannot be used.
    height, width, beads, tiles : int
        Of the image, px; of the annotation; and how many tiles there would be, the empty ones among them.
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


def planned(pairs: Sequence[Sample], options: TilingOptions) -> tuple[Planned, ...]:
    """Return what `cut` would do, having read the annotations but no pixel of an image."""
    every = []
    for item in pairs:
        try:
            plane = only_plane(item.image, options.read)
            labels = item.labels((plane.height, plane.width))
        except BeadctlError as error:
            every.append(Planned(item, "", reason=str(error)))
            continue
        tiles = len(list(corners(labels.shape, options.size, options.overlap)))
        beads = int(np.count_nonzero(np.bincount(labels.ravel())[1:]))
        every.append(Planned(item, "train", plane.height, plane.width, beads, tiles))
    density = {one.sample.name: one.beads / (one.height * one.width) for one in every if one.split}
    splits = options.split(list(density), density) if density else {}
    return tuple(dataclasses.replace(one, split=splits.get(one.sample.name, "")) for one in every)


HEADS = ("image", "annotation", "split", "px", "beads", "tiles")


def rows(plan: Sequence[Planned]) -> list[tuple[str, ...]]:
    """Return a plan as cells under `HEADS`, without what cannot be used."""
    return [
        (
            one.sample.name,
            one.sample.truth.name,
            one.split,
            f"{one.height} x {one.width}",
            str(one.beads),
            str(one.tiles),
        )
        for one in plan
        if not one.reason
    ]
