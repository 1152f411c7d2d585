"""From the network's maps to instances: which pixel belongs to which bead.

Both maps arrive as 8 bit, 0..255 standing for 0..1: two bytes a pixel keep a whole plane in memory where
float32 would take eight, comparisons and connected components run several times faster on them, and a
step of 1/255 lies far below the networks' own error. A threshold ``t`` is compared as ``round(255 t)``.

The *seed* map is trained as the distance to the bead's own edge over the largest such distance in that
bead: 1 in the middle, 0 at the rim, so beads that touch keep separate peaks. Most beads stand alone and
need no flooding at all; only components of the foreground with several peaks are flooded, packed together
on a small canvas so that the cost follows the crowded pixels and not the plane.

Everything is 8-connected: foreground, peaks and flooding. A thin crescent of a half-hidden bead has a
slanting one-pixel ridge, which 4-connected peaks would break into several beads; and with one rule for all
three a peak lies in exactly one component and floods all of it.
"""

import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import local_maxima, reconstruction
from skimage.segmentation import watershed

_EIGHT = np.ones((3, 3), dtype=bool)

# A peak of the distance transform counts as a bead of its own when it rises this far above the pass to a
# higher one: half a pixel is the digital grid's own ripple, a tenth of the radius an uneven outline's.
_PEAK_RISE_PX = 0.5
_PEAK_RISE_FRACTION = 0.1

# The same for the seed map: of two peaks the lower one is a bead of its own if it rises this far above the
# pass between them, where the larger is of this diameter. The map runs from 0 to 1 in every bead, but a
# network's errors in it, above all on rough surfaces, spread over more of a large bead's map, and a gap of a
# pixel means more to a small one: so the rise grows with the diameter, within a range. On simulated scenes of
# small beads a low rise did best, on those of large ones a high one; the power joins the two.
SEED_RISE = 0.07
RISE_DIAMETER_PX = 10.0
RISE_POWER = 1.5
RISE_RANGE = (0.3, 6.0)

_Flat = NDArray[np.intp]
_Ids = NDArray[np.signedinteger[Any]]


def label(
    probability: NDArray[np.uint8],
    seed: NDArray[np.uint8] | None,
    *,
    threshold: float,
    seed_threshold: float,
    min_area_px: int,
    seed_rise: float = SEED_RISE,
    min_confidence: float = 0.0,
    exclude_border: bool = False,
) -> NDArray[np.uint32]:
    """Label every bead of a plane.

    A component of the foreground with one peak of the seed map, or with none (a small bead may not reach
    `seed_threshold`), is one bead. One with several is divided by a watershed of the falling seed map that
    starts at the peaks [1]_, and what a peak gained is given back to its neighbour where the peak rises less
    than `seed_rise` above the pass between them: the peaks of that dynamics [2]_. A fixed level would join
    two beads whose pass lies above it and lose one whose peak lies below. Where a model has no seed map the
    peaks are those of the distance transform.
    Holes that one bead encloses and that are no larger than the rest of it are filled: rings are beads.
    What a component becomes never depends on anything outside it, so a plane cut in blocks gives the same
    beads.

    Parameters
    ----------
    probability
        (H, W), that a pixel is bead, 0..255 for 0..1.
    seed
        (H, W), relative distance to the bead's edge, 0..255 for 0..1; None where the model gives none.
    threshold
        Pixels with at least this probability are foreground, 0..1. Probability 0 never is.
    seed_threshold
        A peak of the seed map must reach this, 0..1.
    seed_rise
        Of two peaks the lower is a bead of its own if it rises this far above the pass between them, 0..1;
        for beads of 10 px, and for others in proportion to the diameter to the power of 1.5, from 0.3 to 6
        times as far.
    min_area_px
        Beads with fewer pixels, holes filled, are dropped.
    min_confidence
        Beads with less are dropped, 0..1: the mean probability times the height of the seed.
    exclude_border
        Drop beads with a pixel on the edge of the plane.

    Returns
    -------
    NDArray[np.uint32]
        (H, W), 0 where no bead is, beads 1..n in raster order of their first pixel.

    Raises
    ------
    ValueError
        The maps are not 2-D uint8 of one shape.

    References
    ----------
    .. [1] Beucher & Meyer, "The morphological approach to segmentation: the watershed transformation",
       in Mathematical Morphology in Image Processing, 1993, pp. 433-481.
    .. [2] Grimaud, "A new measure of contrast: the dynamics", SPIE 1769, 1992, pp. 292-305.
    """
    for name, plane in (("probability", probability), ("seed", seed)):
        if plane is not None and (
            plane.dtype != np.uint8 or plane.ndim != 2 or plane.shape != probability.shape
        ):
            raise ValueError(f"the {name} map is {plane.dtype} {plane.shape}, not a uint8 plane of one shape")
    labels = np.zeros(probability.shape, dtype=np.uint32)
    foreground = probability >= _level(threshold)
    components, count = ndimage.label(foreground, structure=_EIGHT)
    if not count:
        return labels
    pixels = np.flatnonzero(foreground)
    instances = components.ravel()[pixels].astype(np.intp)
    if seed is None:
        instances = _divided_by_distance(pixels, instances, labels.shape).astype(np.intp)
    else:
        # A peak is one among its component's pixels: what the seed map does outside is nobody's business.
        inside = np.where(foreground, seed, 0)
        high = local_maxima(inside, connectivity=2) & foreground  # type: ignore[no-untyped-call]
        peaks, peak_count = ndimage.label(high, structure=_EIGHT)
        where = np.flatnonzero(high)
        component_of_peak = np.zeros(peak_count + 1, dtype=np.intp)
        # Of low peaks too: a hill that nobody starts from could be climbed from two sides at once, and the
        # border of the two basins would run over its top instead of through a pass.
        least = _level(seed_threshold)
        tall = where[inside.ravel()[where] >= least]
        component_of_peak[peaks.ravel()[tall]] = components.ravel()[tall]
        crowded = (np.bincount(component_of_peak[1:], minlength=count + 1) > 1)[instances]
        if crowded.any():
            members = pixels[crowded]
            heights = seed.ravel()[members].astype(np.intp)
            rise = seed_rise * 255
            basins = _divided(
                members, instances[crowded], heights, peaks.ravel()[members], rise, least, labels.shape
            )
            instances[crowded] = count + basins
    labels.ravel()[pixels] = instances
    holes, owners = _holes(foreground, labels)
    labels.ravel()[holes] = owners

    areas = np.bincount(instances) + np.bincount(owners, minlength=int(instances.max()) + 1)
    kept = areas >= max(1, min_area_px)
    if min_confidence:
        both = np.concatenate((pixels, holes)), np.concatenate((instances, owners))
        kept &= _confidence(*both, probability, seed) >= min_confidence
    if exclude_border:
        kept[_edge(labels)] = False
    numbers = _numbers(pixels, instances, kept)
    labels.ravel()[pixels] = numbers[instances]
    labels.ravel()[holes] = numbers[owners]
    return labels


def _confidence(
    pixels: _Flat, instances: _Flat, probability: NDArray[np.uint8], seed: NDArray[np.uint8] | None
) -> NDArray[np.float64]:
    """Return the mean probability of each instance times its highest seed, 0..1."""
    areas = np.maximum(np.bincount(instances), 1)
    mean = np.bincount(instances, weights=probability.ravel()[pixels]) / areas / 255
    if seed is None:
        return mean
    height = np.zeros(areas.size, np.uint8)
    np.maximum.at(height, instances, seed.ravel()[pixels])
    return mean * height / 255


def _level(threshold: float) -> int:
    return max(1, round(threshold * 255))


def _divided(
    pixels: _Flat,
    components: _Flat,
    heights: _Flat,
    peaks: _Ids,
    rise: float,
    least: int,
    shape: tuple[int, ...],
) -> _Ids:
    """Flood components from their peaks, highest first, and join what a low pass does not part.

    Place, component, seed, and peak or 0 are per pixel; a peak must reach `least` and rise by `rise`.
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
    basins = _flooded(relief, markers, mask)
    return _joined(basins, level, rise, least)[basins.ravel()[places]]


def _joined(basins: _Ids, level: _Flat, rise: float, least: int) -> _Flat:
    """Tell, of each basin, which one it belongs to once peaks too low or of too little rise are given up.

    The highest pass goes first, so that a peak falls to the neighbour that it is least parted from. What the
    rise is measured by is the larger of the two as far as they have grown.
    """
    owner = np.arange(int(basins.max()) + 1)
    height = ndimage.maximum(level, basins, owner).astype(np.intp)
    pairs, passes = _passes(basins, level)
    # Only a low peak, or a pass close below the lower of its two peaks, can join them.
    lower = np.minimum(height[pairs[:, 0]], height[pairs[:, 1]])
    shallow = (lower - passes < rise * RISE_RANGE[1]) | (lower < least)
    parent, peak = owner.tolist(), height.tolist()
    area = np.bincount(basins.ravel(), minlength=owner.size).tolist()

    def root(basin: int) -> int:
        while parent[basin] != basin:
            parent[basin] = parent[parent[basin]]
            basin = parent[basin]
        return basin

    for (one, other), saddle in zip(pairs[shallow].tolist(), passes[shallow].tolist(), strict=True):
        low, high = sorted((root(one), root(other)), key=lambda basin: (peak[basin], -basin))
        if low == high:
            continue
        diameter_px = math.sqrt(4 / math.pi * max(area[low], area[high]))
        share = (diameter_px / RISE_DIAMETER_PX) ** RISE_POWER
        needed = rise * min(max(share, RISE_RANGE[0]), RISE_RANGE[1])
        if peak[low] - saddle < needed or peak[low] < least:
            parent[low] = high
            area[high] += area[low]
    return np.array([root(basin) for basin in parent], dtype=np.intp)


def _passes(basins: _Ids, level: _Flat) -> tuple[_Flat, _Flat]:
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


def _divided_by_distance(pixels: _Flat, components: _Flat, shape: tuple[int, ...]) -> _Ids:
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
    markers, _ = ndimage.label(peaks, structure=_EIGHT)
    # Squared distances on a grid are whole numbers, which is what `_flooded` needs to break ties.
    relief = -np.rint(np.square(distance))
    return _flooded(relief, markers, mask).ravel()[places]


def _flooded(relief: NDArray[np.float64], markers: _Ids, mask: NDArray[np.bool_]) -> _Ids:
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


def _packed(pixels: _Flat, components: _Flat, shape: tuple[int, ...]) -> tuple[_Flat, tuple[int, int]]:
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


def _holes(foreground: NDArray[np.bool_], labels: NDArray[np.uint32]) -> tuple[_Flat, NDArray[np.intp]]:
    """Find the holes to fill.

    Returns
    -------
    tuple
        Flat pixels of holes that one instance alone encloses and that are no larger than it, and that
        instance's label for each.
    """
    # Background is 4-connected, the dual of the 8-connected foreground: so a hole's four neighbours tell
    # who encloses it, and an outline closed only by corners does close.
    background, count = ndimage.label(~foreground)
    hole = np.ones(count + 1, dtype=bool)
    outside = _edge(background)
    hole[0] = False
    hole[outside] = False
    nothing = np.empty(0, dtype=np.intp)
    if not hole.any():
        return nothing, nothing
    # Leaving out the one huge component by comparison spares a look-up of every pixel of the plane.
    huge = int(np.bincount(outside)[1:].argmax()) + 1 if outside.any() else 0
    pixels = np.flatnonzero((background != huge) & ~foreground)
    holes = background.ravel()[pixels]
    pixels, holes = pixels[hole[holes]], holes[hole[holes]]
    lowest = np.full(count + 1, np.iinfo(np.intp).max)
    highest = np.zeros(count + 1, dtype=np.intp)
    width = foreground.shape[1]
    for step in (-width, -1, 1, width):
        neighbours = labels.ravel()[pixels + step].astype(np.intp)
        rim = neighbours > 0
        np.minimum.at(lowest, holes[rim], neighbours[rim])
        np.maximum.at(highest, holes[rim], neighbours[rim])
    small = np.bincount(holes, minlength=count + 1) <= np.bincount(labels.ravel())[highest]
    fill = ((lowest == highest) & small)[holes]
    return pixels[fill], highest[holes[fill]]


def _edge(labels: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate((labels[0], labels[-1], labels[:, 0], labels[:, -1]))


def _numbers(pixels: _Flat, instances: _Flat, kept: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """Give the kept instances the numbers 1..n in order of their first pixel, and the others 0."""
    first = np.zeros(kept.size, dtype=np.intp)
    # Of several values for one index the last stays, so going backwards leaves the first pixel.
    first[instances[::-1]] = pixels[::-1]
    survivors = np.flatnonzero(kept)
    numbers = np.zeros(kept.size, dtype=np.uint32)
    numbers[survivors[np.argsort(first[survivors])]] = np.arange(1, survivors.size + 1)
    return numbers
