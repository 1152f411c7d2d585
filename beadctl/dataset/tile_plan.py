"""What cutting tiles would do, for ``tile --dry-run``."""

import math
from collections.abc import Sequence

import numpy as np

from beadctl.annotations.sample import Sample
from beadctl.dataset.division import divide
from beadctl.dataset.splitting import split_sources
from beadctl.dataset.tiling import TilingOptions
from beadctl.errors import BeadctlError
from beadctl.images import Window, only_plane

HEADS = ("image", "annotation", "split", "px", "beads", "tiles")
"""Columns of the printed plan."""


def plan_tiles(
    samples: Sequence[Sample], options: TilingOptions
) -> tuple[list[tuple[str, ...]], tuple[str, ...]]:
    """Return what `tile_writer.cut` would make of annotated images; no pixels of the images are read.

    The first value has a row of text under `HEADS` for each usable image, whose tiles include empty ones; the
    second says why the other images cannot be used.
    """
    usable: list[tuple[Sample, tuple[int, int], int]] = []
    reasons: list[str] = []
    for sample in samples:
        try:
            plane = only_plane(sample.image, options.read)
            labels = sample.load((plane.height, plane.width)).labels
        except BeadctlError as error:
            reasons.append(str(error))
            continue
        beads = int(np.count_nonzero(np.bincount(labels.ravel())[1:]))
        usable.append((sample, (plane.height, plane.width), beads))
    division = divide([sample for sample, *_ in usable], options)
    regions = {division.name: division.regions} if division else {}
    density = {
        sample.name: beads / math.prod(shape) for sample, shape, beads in usable if sample.name not in regions
    }
    held = division.splits if division else ()
    splits = split_sources(list(density), options, density, held) if density else {}
    rows: list[tuple[str, ...]] = []
    for sample, shape, beads in usable:
        areas = regions.get(sample.name) or ((splits[sample.name], Window(0, 0, *shape)),)
        tiles = sum(1 for _, area in areas for _ in options.windows(area))
        names, size = ", ".join(split for split, _ in areas), " x ".join(map(str, shape))
        rows.append((sample.name, sample.truth.name, names, size, str(beads), str(tiles)))
    return rows, tuple(reasons)
