"""What cutting tiles would do, told before it is done."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from beadctl.annotations.pairing import Pair
from beadctl.cutting import Recipe, corners
from beadctl.errors import BeadctlError
from beadctl.images import open_image


@dataclass(frozen=True)
class Planned:
    """What `cut` would make of a pair.

    Attributes
    ----------
    pair : Pair
        The pair.
    split : str
        Its side; empty if it cannot be used.
    height, width, beads, tiles : int
        Of the image, px; of the annotation; and how many tiles there would be, the empty ones among them.
    reason : str
        Why it cannot be used; empty if it can.
    """

    pair: Pair
    split: str
    height: int = 0
    width: int = 0
    beads: int = 0
    tiles: int = 0
    reason: str = ""


def planned(pairs: Sequence[Pair], recipe: Recipe) -> tuple[Planned, ...]:
    """Return what `cut` would do, having read the annotations but no pixel of an image."""
    every = []
    for item in pairs:
        try:
            image = open_image(item.image.path, axes=recipe.axes, channel=recipe.channel, plane=recipe.plane)
            plane = image.planes[0]
            labels = item.labels((plane.height, plane.width))
        except BeadctlError as error:
            every.append(Planned(item, "", reason=str(error)))
            continue
        tiles = len(list(corners(labels.shape, recipe.size, recipe.overlap)))
        beads = int(np.count_nonzero(np.bincount(labels.ravel())[1:]))
        every.append(Planned(item, "train", plane.height, plane.width, beads, tiles))
    density = {str(one.pair.image.name): one.beads / (one.height * one.width) for one in every if one.split}
    splits = recipe.split(list(density), density) if density else {}
    return tuple(dataclasses.replace(one, split=splits.get(str(one.pair.image.name), "")) for one in every)
