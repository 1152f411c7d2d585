"""Hills of a map, flooded one by one and joined where a low pass does not part them.

Only components with several peaks come here. They are packed together on a small canvas, so that the cost
follows the crowded pixels and not the plane; and whatever is done to one depends on nothing but its own
pixels and on what is said of the beads as a whole.
"""

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import local_maxima, reconstruction
from skimage.segmentation import watershed

from beadctl.segmentation.size_prior import SizePrior

EIGHT = np.ones((3, 3), dtype=bool)

# A peak of the distance transform counts as a bead of its own when it rises this far above the pass to a
# higher one: half a pixel is the digital grid's own ripple, a tenth of the radius an uneven outline's.
_PEAK_RISE_PX = 0.5
_PEAK_RISE_FRACTION = 0.1

# The same for the marker map: of two peaks the lower one is a bead of its own if it rises this far above the
# pass between them, where the larger is of this diameter. The map runs from 0 to 1 in every bead, but a
# network's errors in it, above all on rough surfaces, spread over more of a large bead's map, and a gap of a
# pixel means more to a small one: so the rise grows with the diameter, within a range. On simulated scenes of
# small beads a low rise did best, on those of large ones a high one; the power joins the two.
MARKER_RISE = 0.07
RISE_DIAMETER_PX = 10.0
RISE_POWER = 1.5
RISE_RANGE = (0.3, 6.0)

# Half of what the sizes say, as a logarithm of odds, goes into the rise: they are evidence beside that of the
# map, which has seen the sizes too. And by no more than this factor, either way.
PRIOR_WEIGHT = 0.5
PRIOR_RANGE = (1 / 8, 8.0)

Flat = NDArray[np.intp]
Ids = NDArray[np.signedinteger[Any]]


@dataclass(frozen=True)
class Basins:
    """Flooded components on a canvas of their own.

    Attributes
    ----------
    places
        (N,) flat place on the canvas of each pixel.
    number
        The canvas, 2-D: the basin of each pixel, 0 where there is none.
    level
        The canvas, 2-D: the marker map, 0..255.
    pairs, passes
        (M, 2) neighbouring basins, and (M,) the height of the pass between them, highest first.
    """

    places: Flat
    number: Ids
    level: Flat
    pairs: Flat
    passes: Flat

    def joined(self, rise: float, least: int, prior: SizePrior | None = None) -> Flat:
        """Tell the basin of each pixel once peaks too low or of too little rise are given up.

        The highest pass goes first, so that a peak falls to the neighbour that it is least parted from. What
        the rise is measured by is the larger of the two as far as they have grown; where the sizes of the
        beads around are known, a rise that would part beads of a usual size into unusual ones must be
        higher, and one that would join usual ones into an unusual one lower.

        Parameters
        ----------
        rise
            Of a peak of `RISE_DIAMETER_PX`, 0..255.
        least
            Height that a peak must reach, 0..255.
        prior
            The sizes of beads around, where they are known.

        Returns
        -------
        ndarray of intp
            (N,), numbers of basins.
        """
        owner = np.arange(int(self.number.max()) + 1)
        height = ndimage.maximum(self.level, self.number, owner).astype(np.intp)
        # Only a low peak, or a pass close below the lower of its two peaks, can join them.
        lower = np.minimum(height[self.pairs[:, 0]], height[self.pairs[:, 1]])
        most = rise * RISE_RANGE[1] * (PRIOR_RANGE[1] if prior else 1.0)
        shallow = (lower - self.passes < most) | (lower < least)
        parent, peak = owner.tolist(), height.tolist()
        area = np.bincount(self.number.ravel(), minlength=owner.size).tolist()

        def root(basin: int) -> int:
            while parent[basin] != basin:
                parent[basin] = parent[parent[basin]]
                basin = parent[basin]
            return basin

        pairs, passes = self.pairs[shallow].tolist(), self.passes[shallow].tolist()
        for (one, other), saddle in zip(pairs, passes, strict=True):
            low, high = sorted((root(one), root(other)), key=lambda basin: (peak[basin], -basin))
            if low == high:
                continue
            needed = rise * _share(area[low], area[high], prior)
            if peak[low] - saddle < needed or peak[low] < least:
                parent[low] = high
                area[high] += area[low]
        roots = np.array([root(basin) for basin in parent], dtype=np.intp)
        return np.asarray(roots[self.number.ravel()[self.places]])


def _share(one_px: int, other_px: int, prior: SizePrior | None) -> float:
    """Return how many times the rise of a bead of `RISE_DIAMETER_PX` two basins of these areas must have."""
    diameter_px = math.sqrt(4 / math.pi * max(one_px, other_px))
    grown = float((diameter_px / RISE_DIAMETER_PX) ** RISE_POWER)
    share = min(max(grown, RISE_RANGE[0]), RISE_RANGE[1])
    if prior is None:
        return share
    apart = (prior.oddness(one_px) + prior.oddness(other_px)) / 2
    odds = math.exp(PRIOR_WEIGHT * (apart - prior.oddness(one_px + other_px)))
    return share * min(max(odds, PRIOR_RANGE[0]), PRIOR_RANGE[1])


def flooded(pixels: Flat, components: Flat, heights: Flat, peaks: Ids, shape: tuple[int, ...]) -> Basins:
    """Flood components from their peaks, highest first.

    Parameters
    ----------
    pixels, components, heights, peaks
        (N,): flat place in the plane, component, marker 0..255, and number of the peak or 0, of each pixel.
    shape
        Of the plane.

    Returns
    -------
    Basins
    """
    places, canvas = _packed(pixels, components, shape)
    relief = np.zeros(canvas)
    markers = np.zeros(canvas, dtype=np.int32)
    mask = np.zeros(canvas, dtype=bool)
    level = np.zeros(canvas, dtype=np.intp)
    relief.ravel()[places] = 255 - heights
    markers.ravel()[places] = peaks
    mask.ravel()[places] = True
    level.ravel()[places] = heights
    number = _watershed(relief, markers, mask)
    return Basins(places, number, level, *_passes(number, level))


def _passes(basins: Ids, level: Flat) -> tuple[Flat, Flat]:
    """Find the neighbouring basins and the height of the pass between them.

    Returns
    -------
    tuple
        (N, 2) the pairs, lower number first, and (N,) the passes, highest first.
    """
    found = []
    size = int(basins.max()) + 1
    for down, across in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = (slice(0, basins.shape[0] - down), slice(max(0, -across), basins.shape[1] - max(0, across)))
        there = (slice(down, None), slice(max(0, across), basins.shape[1] + min(0, across)))
        one, other = basins[here], basins[there]
        border = np.flatnonzero((one != other) & (one > 0) & (other > 0))
        one, other = one.ravel()[border].astype(np.intp), other.ravel()[border].astype(np.intp)
        height = np.minimum(level[here].ravel()[border], level[there].ravel()[border])
        found.append(((np.minimum(one, other) * size + np.maximum(one, other)) * 256) + height)
    coded = np.unique(np.concatenate(found))
    pair, height = np.divmod(coded, 256)
    last = np.append(pair[1:] != pair[:-1], True)[: len(pair)]
    order = np.argsort(-height[last], kind="stable")
    pair, height = pair[last][order], height[last][order]
    return np.stack(np.divmod(pair, size), axis=1), height


def divided_by_distance(pixels: Flat, components: Flat, shape: tuple[int, ...]) -> Ids:
    """Divide components at the necks of their outline.

    The peaks are the h-maxima of the distance transform (Soille, Morphological Image Analysis, 2nd ed.,
    section 6.3.4), with an h that grows with the radius so that large rough beads stay whole.
    """
    places, canvas = _packed(pixels, components, shape)
    mask = np.zeros(canvas, dtype=bool)
    mask.ravel()[places] = True
    distance = ndimage.distance_transform_edt(mask)
    lowered = np.maximum(distance * (1 - _PEAK_RISE_FRACTION) - _PEAK_RISE_PX, 0)
    without_ripple = reconstruction(lowered, distance)  # type: ignore[no-untyped-call]
    peaks = local_maxima(without_ripple, connectivity=2) & mask  # type: ignore[no-untyped-call]
    markers, _ = ndimage.label(peaks, structure=EIGHT)
    # Squared distances on a grid are whole numbers, which is what `_watershed` needs to break ties.
    relief = -np.rint(np.square(distance))
    return _watershed(relief, markers, mask).ravel()[places]


def _watershed(relief: NDArray[np.float64], markers: Ids, mask: NDArray[np.bool_]) -> Ids:
    """Watershed of a whole-numbered relief whose outcome in a component depends on that component alone.

    The heap of the watershed orders equal pixels by the time they entered, but all marker pixels enter at
    once, and which of two equal ones leaves first depends on what else is in the heap: a bead far away. So
    each marker pixel is lowered by its own fraction of a step, in raster order.
    """
    # A marker pixel amid its marker has nobody to flood: keeping it out makes for a far shorter heap.
    amid = _amid(markers > 0)
    rim, open_mask = np.where(amid, 0, markers), mask & ~amid
    where = np.flatnonzero(rim)
    relief.ravel()[where] -= 0.5 - 0.5 * np.arange(where.size) / max(1, where.size)
    flooded = np.where(amid, markers, 0)
    # Shelf by shelf, because a short heap stays in the processor's cache.
    for top, bottom in itertools.pairwise(np.flatnonzero(~mask.any(axis=1))):
        rows = slice(top, bottom)
        if bottom - top > 1:
            flooded[rows] += watershed(  # type: ignore[no-untyped-call]
                relief[rows], rim[rows], connectivity=2, mask=open_mask[rows]
            )
    return flooded


def _amid(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which pixels have all their eight neighbours in the mask too."""
    amid = np.zeros_like(mask)
    across = mask[:, 1:-1] & mask[:, :-2] & mask[:, 2:]
    amid[1:-1, 1:-1] = across[1:-1] & across[:-2] & across[2:]
    return amid


def _packed(pixels: Flat, components: Flat, shape: tuple[int, ...]) -> tuple[Flat, tuple[int, int]]:
    """Lay components out on a canvas, by their bounding boxes on shelves, tallest first.

    The boxes are one pixel apart and one from the canvas's edge. Long slanting components have boxes that
    overlap in the plane, and packing them would cost more than it saves: then the plane is the canvas.

    Returns
    -------
    tuple
        Flat place on the canvas of each pixel, and the canvas's shape.
    """
    height, width = shape
    rows, columns = np.divmod(pixels, width)
    group_of_component = np.zeros(int(components.max()) + 1, dtype=np.intp)
    group_of_component[components] = 1
    group_of_component = np.cumsum(group_of_component) - 1
    groups = group_of_component[components]
    count = int(group_of_component[-1]) + 1
    top, left = np.full(count, height), np.full(count, width)
    bottom, right = np.zeros(count, dtype=np.intp), np.zeros(count, dtype=np.intp)
    np.minimum.at(top, groups, rows)
    np.maximum.at(bottom, groups, rows)
    np.minimum.at(left, groups, columns)
    np.maximum.at(right, groups, columns)

    tall, wide = bottom - top + 2, right - left + 2
    order = np.argsort(-tall, kind="stable")
    starts = np.cumsum(wide[order]) - wide[order]
    shelf_width = max(int(wide.max()), int(np.sqrt(np.sum(tall * wide))))
    shelf, first = np.unique(starts // shelf_width, return_index=True)
    on_shelf = np.searchsorted(shelf, starts // shelf_width)
    shelf_tall = tall[order][first]
    shelf_top = np.cumsum(shelf_tall) - shelf_tall
    canvas_height = int(shelf_tall.sum()) + 1
    canvas_width = shelf_width + int(wide.max()) + 1
    if canvas_height * canvas_width >= height * width:
        return (rows + 1) * (width + 2) + columns + 1, (height + 2, width + 2)
    down, across = np.empty(count, dtype=np.intp), np.empty(count, dtype=np.intp)
    down[order] = shelf_top[on_shelf] + 1
    across[order] = starts - starts[first][on_shelf] + 1
    shift = (down - top) * canvas_width + across - left
    return rows * canvas_width + columns + shift[groups], (canvas_height, canvas_width)
