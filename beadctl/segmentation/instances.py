"""From the network's maps to instances: which pixel belongs to which bead.

Both maps arrive as 8 bit, 0..255 standing for 0..1: two bytes a pixel keep a whole plane in memory where
float32 would take eight, comparisons and connected components run several times faster on them, and a
step of 1/255 lies far below the networks' own error. A threshold ``t`` is compared as ``round(255 t)``.

The *marker* map is trained as the distance to the bead's own edge over the largest such distance in that
bead: 1 in the middle, 0 at the rim, so beads that touch keep separate peaks. Most beads stand alone and
need no flooding at all; only components of the foreground with several peaks are flooded, by `basins`.
Those that stand alone tell how large a bead is in this plane, which helps to decide about the others.

Everything is 8-connected: foreground, peaks and flooding. A thin crescent of a half-hidden bead has a
slanting one-pixel ridge, which 4-connected peaks would break into several beads; and with one rule for all
three a peak lies in exactly one component and floods all of it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import local_maxima

from beadctl.segmentation.size_prior import SizePrior
from beadctl.segmentation.watershed import EIGHT, MARKER_RISE, divided_by_distance, flooded

_Flat = NDArray[np.intp]

# Beads from whose sizes the usual one is told: of those with less confidence more than a quarter are none.
_SURE = 0.8

# In good company a bead needs less of the least confidence: beads that cover one another look less like beads
# than they do alone, and what is left out of a clump leaves a hole. It must be so large, as a share of the
# usual area: what is smaller may be a splinter of its neighbour.
COMPANY, COMPANY_AREA = 0.75, 0.6

# Where no bead of a plane has so many times the least confidence, there is none: dirt on an empty field looks
# a little like beads, and beads, be they ever so few, are seldom all doubtful.
BEST = 1.15


def label(
    probability: NDArray[np.uint8],
    marker: NDArray[np.uint8] | None,
    *,
    threshold: float,
    marker_threshold: float,
    min_area_px: int,
    marker_rise: float = MARKER_RISE,
    min_confidence: float = 0.0,
    exclude_border: bool = False,
    use_size_prior: bool = True,
) -> NDArray[np.uint32]:
    """Label every bead of a plane.

    A component of the foreground with one peak of the marker map, or with none (a small bead may not reach
    `marker_threshold`), is one bead. One with several is divided by a watershed of the falling marker map that
    starts at the peaks [1]_, and what a peak gained is given back to its neighbour where the peak rises less
    than `marker_rise` above the pass between them: the peaks of that dynamics [2]_. A fixed level would join
    two beads whose pass lies above it and lose one whose peak lies below. Where a model has no marker map the
    peaks are those of the distance transform.
    Holes that one bead encloses and that are no larger than the rest of it are filled: rings are beads.
    What a component becomes depends on nothing outside it but the sizes of the beads that stand alone, and
    that only `use_size_prior`.

    Parameters
    ----------
    probability
        (H, W), that a pixel is bead, 0..255 for 0..1.
    marker
        (H, W), relative distance to the bead's edge, 0..255 for 0..1; None where the model gives none.
    threshold
        Pixels with at least this probability are foreground, 0..1. Probability 0 never is.
    marker_threshold
        A peak of the marker map must reach this, 0..1.
    marker_rise
        Of two peaks the lower is a bead of its own if it rises this far above the pass between them, 0..1;
        for beads of 10 px, and for others in proportion to the diameter to the power of 1.5, from 0.3 to 6
        times as far.
    min_area_px
        Beads with fewer pixels, holes filled, are dropped.
    min_confidence
        Beads with less are dropped, 0..1: the mean probability times the height of the marker. Those of a clump
        need three quarters of it, if another of the clump has all; `use_size_prior` only if they are about as
        large as is usual in the plane, and none is kept if no bead of the plane has 1.15 times as much.
    exclude_border
        Drop beads with a pixel on the edge of the plane.
    use_size_prior
        Where enough beads stand alone, let their sizes speak when others are divided: a rise must be higher
        to part a bead of the usual size, and may be lower to part one of twice that.

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
    for name, plane in (("probability", probability), ("marker", marker)):
        if plane is not None and (
            plane.dtype != np.uint8 or plane.ndim != 2 or plane.shape != probability.shape
        ):
            raise ValueError(f"the {name} map is {plane.dtype} {plane.shape}, not a uint8 plane of one shape")
    labels = np.zeros(probability.shape, dtype=np.uint32)
    foreground = probability >= _level(threshold)
    components, count = ndimage.label(foreground, structure=EIGHT)
    if not count:
        return labels
    pixels = np.flatnonzero(foreground)
    component = components.ravel()[pixels].astype(np.intp)
    instances = component.copy()
    if marker is None:
        instances = divided_by_distance(pixels, component, labels.shape).astype(np.intp)
    else:
        # A peak is one among its component's pixels: what the marker map does outside is nobody's business.
        inside = np.where(foreground, marker, 0)
        high = local_maxima(inside, connectivity=2) & foreground  # type: ignore[no-untyped-call]
        peaks, peak_count = ndimage.label(high, structure=EIGHT)
        where = np.flatnonzero(high)
        component_of_peak = np.zeros(peak_count + 1, dtype=np.intp)
        # Of low peaks too: a hill that nobody starts from could be climbed from two sides at once, and the
        # border of the two basins would run over its top instead of through a pass.
        least = _level(marker_threshold)
        tall = where[inside.ravel()[where] >= least]
        component_of_peak[peaks.ravel()[tall]] = components.ravel()[tall]
        crowded = (np.bincount(component_of_peak[1:], minlength=count + 1) > 1)[component]
        if crowded.any():
            members = pixels[crowded]
            heights = marker.ravel()[members].astype(np.intp)
            basins = flooded(members, component[crowded], heights, peaks.ravel()[members], labels.shape)
            instances[crowded] = count + basins.joined(marker_rise * 255, least)
            if use_size_prior:
                alone = _alone(pixels, component, instances, labels.shape)
                alone &= _confidence(pixels, instances, probability, marker) >= _SURE
                areas = np.bincount(instances)[alone]
                prior = SizePrior.of(np.sqrt(4 / np.pi * areas))
                if prior:
                    instances[crowded] = count + basins.joined(marker_rise * 255, least, prior)
    labels.ravel()[pixels] = instances
    holes, owners = _holes(foreground, labels)
    labels.ravel()[holes] = owners

    areas = np.bincount(instances) + np.bincount(owners, minlength=int(instances.max()) + 1)
    kept = areas >= max(1, min_area_px)
    if min_confidence:
        both = np.concatenate((pixels, holes)), np.concatenate((instances, owners))
        confidence = _confidence(*both, probability, marker)
        company = _in_company(component, instances, confidence, min_confidence)
        if use_size_prior and (sure := confidence >= _SURE).any():
            area = np.bincount(instances)
            company &= area >= COMPANY_AREA * np.median(area[sure])
        kept &= confidence >= np.where(company, COMPANY * min_confidence, min_confidence)
        best = max(min_confidence, min(BEST * min_confidence, _SURE))
        if use_size_prior and not (confidence[kept] >= best).any():
            kept[:] = False
    if exclude_border:
        kept[_edge(labels)] = False
    numbers = _numbers(pixels, instances, kept)
    labels.ravel()[pixels] = numbers[instances]
    labels.ravel()[holes] = numbers[owners]
    return labels


def _alone(pixels: _Flat, components: _Flat, instances: _Flat, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Tell which instances have a component to themselves, with no pixel on the edge of the plane."""
    component = np.zeros(int(instances.max()) + 1, np.intp)
    component[instances] = components
    alone: NDArray[np.bool_] = (np.bincount(component) == 1)[component] & (component > 0)
    rows, columns = np.divmod(pixels, shape[1])
    at_edge = (rows == 0) | (rows == shape[0] - 1) | (columns == 0) | (columns == shape[1] - 1)
    alone[instances[at_edge]] = False
    return alone


def _in_company(
    components: _Flat, instances: _Flat, confidence: NDArray[np.float64], least: float
) -> NDArray[np.bool_]:
    """Tell which instances share a component with another one of at least that confidence."""
    component = np.zeros(confidence.size, np.intp)
    component[instances] = components
    best = np.zeros(int(component.max()) + 1)
    np.maximum.at(best, component, confidence)
    return np.asarray((best[component] >= least) & (component > 0), bool)


def _confidence(
    pixels: _Flat, instances: _Flat, probability: NDArray[np.uint8], marker: NDArray[np.uint8] | None
) -> NDArray[np.float64]:
    """Return the mean probability of each instance times its highest marker, 0..1."""
    areas = np.maximum(np.bincount(instances), 1)
    mean = np.bincount(instances, weights=probability.ravel()[pixels]) / areas / 255
    if marker is None:
        return mean
    height = np.zeros(areas.size, np.uint8)
    np.maximum.at(height, instances, marker.ravel()[pixels])
    return mean * height / 255


def _level(threshold: float) -> int:
    return max(1, round(threshold * 255))


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
