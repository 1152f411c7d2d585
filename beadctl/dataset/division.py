"""Division of one image among splits by region, where too few images have beads for a split each."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from beadctl.annotations.sample import Sample
from beadctl.dataset.splitting import group_names, shares
from beadctl.dataset.tiling import TilingOptions
from beadctl.errors import BeadctlError
from beadctl.images import Window, only_plane

# Narrowest region and least distance of two regions, px.
MIN_REGION_PX = 16
MIN_MARGIN_PX = 2


@dataclass(frozen=True)
class Division:
    """Regions of an image, one a split; the margins between them are in no split.

    Attributes
    ----------
    name : str
        Name of the image.
    regions : tuple of (str, Window)
        Split and region, from the top or the left of the image.
    """

    name: str
    regions: tuple[tuple[str, Window], ...]

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that get a region."""
        return tuple(split for split, _ in self.regions)

    def __str__(self) -> str:
        """Return the regions and what they mean for the figures as words."""
        places = ", ".join(
            f"{split} rows {area.top}-{area.bottom - 1}, columns {area.left}-{area.right - 1}"
            for split, area in self.regions
        )
        return (
            f"too few images have beads for a split each; {self.name} is divided by region, with a margin in"
            f" no split: {places}. Figures on regions of one image are optimistic; annotate more images"
        )


def divide(samples: Sequence[Sample], options: TilingOptions) -> Division | None:
    """Choose the image to divide, and its regions; None where every split can get an image with beads.

    Annotations are read until there are enough images with beads. Of fewer, the one with the most beads gives
    the last splits, in the order train, val, test, a region each; images of a group are not divided.
    Annotations that cannot be read are passed over.
    """
    needed = [split for split, share in shares(options).items() if share > 0]
    groups = group_names([sample.name for sample in samples], options.group_by)
    group_of = {name: group for group, names in groups.items() for name in names}
    with_beads, most = set[str](), 0
    name, chosen = "", np.zeros((0, 0), np.uint32)
    for sample in samples:
        if len(with_beads) >= len(needed):
            return None
        try:
            plane = only_plane(sample.image, options.read)
            labels = sample.load((plane.height, plane.width)).labels
        except BeadctlError:
            continue
        if beads := int(np.count_nonzero(np.unique(labels))):
            with_beads.add(group_of[sample.name])
            if beads > most and len(groups[group_of[sample.name]]) == 1:
                most, name, chosen = beads, sample.name, labels
    missing = needed[max(0, len(with_beads) - 1) :]
    if not most or len(missing) < 2:
        return None
    wanted = {split: shares(options)[split] for split in missing}
    for count in range(len(missing), 1, -1):
        if found := regions(chosen, dict(list(wanted.items())[:count])):
            return Division(name, found)
    return None


def regions(labels: NDArray[np.uint32], wanted: dict[str, float]) -> tuple[tuple[str, Window], ...]:
    """Divide a label image into bands across one axis, each with whole beads; empty where that is impossible.

    Parameters
    ----------
    labels : ndarray of uint32, shape (H, W)
        0 is background.
    wanted : dict of str to float
        Splits, in order, with shares of the beads; their sum may be any.
    """
    boxes = [box for box in ndimage.find_objects(labels.astype(np.int64)) if box]
    if len(boxes) < len(wanted):
        return ()
    edges = {axis: np.array([(box[axis].start, box[axis].stop) for box in boxes]) for axis in (0, 1)}
    largest = max(int(np.ptp(edges[axis], axis=1).max()) for axis in (0, 1))
    longest_first = sorted((0, 1), key=lambda axis: -labels.shape[axis])
    for margin in (largest, largest // 2, largest // 4, MIN_MARGIN_PX):
        for axis in longest_first:
            bands = _bands(edges[axis], labels.shape[axis], wanted, max(margin, MIN_MARGIN_PX))
            if bands:
                across = labels.shape[1 - axis]
                areas = [Window(start, 0, stop - start, across) for start, stop in bands]
                return tuple(zip(wanted, areas if axis == 0 else [a.transposed for a in areas], strict=True))
    return ()


def _bands(
    edges: NDArray[np.int64], length: int, wanted: dict[str, float], margin: int
) -> list[tuple[int, int]]:
    """Return start and stop of bands with their shares of the beads; empty unless each has a whole bead."""
    centres = np.sort(edges.mean(1))
    total, parts = math.fsum(wanted.values()), len(wanted)
    cuts, reached, index = [-margin / 2], 0.0, 0
    for part, share in enumerate(list(wanted.values())[:-1], start=1):
        reached += share / total
        index = min(max(round(reached * len(edges)), index + 1), len(edges) - parts + part)
        cuts.append(float(centres[index - 1 : index + 1].mean()))
    cuts.append(length + margin / 2)
    bands = [
        (math.ceil(before + margin / 2), math.floor(after - margin / 2)) for before, after in pairwise(cuts)
    ]
    fits = all(
        stop - start >= MIN_REGION_PX and bool(((edges[:, 0] >= start) & (edges[:, 1] <= stop)).any())
        for start, stop in bands
    )
    return bands if fits else []
