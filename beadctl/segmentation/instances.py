"""From the network's maps to instances: which pixel belongs to which bead.

Maps are uint8, 0..255 for 0..1: smaller and several times faster than float32, and finer than the network's
error. The marker map is trained as the distance to the bead's own edge over the largest one in that bead, so
touching beads have separate peaks. Foreground, peaks and flooding are 8-connected: the thin crescent of a
half-hidden bead has a slanting one-pixel ridge, which 4-connected peaks would break up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import local_maxima

from beadctl.segmentation.size_prior import SizePrior
from beadctl.segmentation.watershed import EIGHT, MARKER_RISE, Flat, divided_by_distance, flooded


@dataclass(frozen=True)
class ConfidenceLimits:
    """Limits on the confidence of beads.

    =============  =====  ======  ======================================================================
    name           value  unit    why
    =============  =====  ======  ======================================================================
    sure           0.8    0..1    beads for the size prior; of less confident ones over a quarter are wrong
    relaxed        0.75   factor  of the minimum confidence, for beads that touch a confident one
    relaxed_area   0.6    share   of the typical area that such a bead has at least; less is a splinter
    lenient        0.3    0..1    least confidence at which the most beads are counted, and
    strict         0.7    0..1    at which the fewest are
    rises          0.5    factor  on the least rise of a marker, at which most beads are parted, and
                   2.0            at which the fewest are
    =============  =====  ======  ======================================================================
    """

    sure: float = 0.8
    relaxed: float = 0.75
    relaxed_area: float = 0.6
    lenient: float = 0.3
    strict: float = 0.7
    rises: tuple[float, float] = (0.5, 2.0)


LIMITS = ConfidenceLimits()


@dataclass(frozen=True, eq=False)
class Found:
    """The beads of a plane, and how many they would be at other thresholds.

    Attributes
    ----------
    labels : ndarray of uint32, shape (H, W)
        Label image.
    fewest, most : int
        Least and largest number of beads at the other confidences and rises of `ConfidenceLimits`, one
        changed at a time.
    """

    labels: NDArray[np.uint32]
    fewest: int = 0
    most: int = 0


def find_beads(
    probability: NDArray[np.uint8],
    marker: NDArray[np.uint8] | None,
    *,
    threshold: float,
    marker_threshold: float,
    min_area_px: int,
    marker_rise: float = MARKER_RISE,
    min_confidence: float = 0.0,
    use_size_prior: bool | SizePrior = True,
) -> Found:
    """Find every bead of a plane.

    A component of the foreground with one peak of the marker map, or with none (a small bead may not reach
    `marker_threshold`), is one bead. One with several is divided by a marker-controlled watershed [1]_, and
    a peak that rises less than `marker_rise` above the pass to a higher one (its dynamics [2]_) is joined to
    it. Without a marker map the peaks are those of the distance transform. Holes that one bead encloses and
    that are no larger than the rest of it are filled: rings are beads. The label image is uint32 (H, W), with
    beads 1..n in raster order of their first pixel.

    Parameters
    ----------
    probability, marker : ndarray of uint8, shape (H, W)
        Probability of foreground, and relative distance to the bead's edge, 0..255 for 0..1; marker is None
        if the model has none.
    threshold, marker_threshold : float
        Least probability of foreground, and least height of a peak of the marker map, 0..1. Probability 0 is
        always background.
    min_area_px : int
        Beads with fewer pixels, holes filled, are dropped.
    marker_rise : float
        Least rise of a peak above the pass to a higher one, 0..1, for beads of 10 px; see `RiseLimits`.
    min_confidence : float
        Least confidence of a bead, 0..1: its mean probability times its marker height; see
        `ConfidenceLimits`.
    use_size_prior : bool or SizePrior
        Let the sizes of the beads that stand alone raise or lower the rise at which others are divided, and
        decide which areas are typical. A prior of a stated diameter divides before they do; by it small
        objects are dropped, and beads of about its size need less confidence.

    Raises
    ------
    ValueError
        If the maps are not 2-D uint8 of one shape.

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
        return Found(labels)
    pixels = np.flatnonzero(foreground)
    component = components.ravel()[pixels].astype(np.intp)
    parted: list[_Parts] = []
    if marker is None:
        instances = divided_by_distance(pixels, component, labels.shape).astype(np.intp)
    else:
        least = _level(marker_threshold)
        instances, parted = _parted(
            pixels, components, probability, marker, least, marker_rise, use_size_prior
        )
    labels.ravel()[pixels] = instances
    holes, owners = _holes(foreground, labels)
    labels.ravel()[holes] = owners
    areas = np.bincount(instances) + np.bincount(owners, minlength=int(instances.max()) + 1)
    least_px: float = max(1, min_area_px)
    large = areas >= least_px
    if isinstance(use_size_prior, SizePrior):
        large &= (areas >= use_size_prior.least_area_px) | _at_edge(pixels, instances, labels.shape)
        least_px = max(least_px, use_size_prior.least_area_px)
    both = np.concatenate((pixels, holes)), np.concatenate((instances, owners))
    confidence = _confidence(*both, probability, marker)
    if isinstance(use_size_prior, SizePrior):
        confidence = use_size_prior.raised(confidence, areas)
    component_of = np.zeros(confidence.size, np.intp)
    component_of[instances] = component
    whole = _Parts(component_of, np.bincount(instances), confidence)
    typical_px = whole.typical_px if use_size_prior else 0.0
    kept = large & whole.sure(min_confidence, typical_px)
    numbers = _numbers(pixels, instances, kept)
    labels.ravel()[pixels] = numbers[instances]
    labels.ravel()[holes] = numbers[owners]
    counts = [int(kept.sum())]
    for certain in (LIMITS.lenient, LIMITS.strict):
        counts += [int((large & whole.sure(certain, typical_px)).sum())]
    # Holes are left aside here, so only differences tell.
    others = [int((one.sure(min_confidence, typical_px) & (one.area_px >= least_px)).sum()) for one in parted]
    counts += [counts[0] + other - others[0] for other in others]
    return Found(labels, max(0, min(counts)), max(counts))


@dataclass(frozen=True, eq=False)
class _Parts:
    """Instances by their numbers: component, 0 for a number that is not used; area; confidence; each (n,)."""

    component: NDArray[np.intp]
    area_px: NDArray[np.intp]
    confidence: NDArray[np.float64]

    @property
    def typical_px(self) -> float:
        """Median area of those of high confidence; 0 without one."""
        areas = self.area_px[self.confidence >= LIMITS.sure]
        return float(np.median(areas)) if len(areas) else 0.0

    def sure(self, min_confidence: float, typical_px: float) -> NDArray[np.bool_]:
        """Return which are confident; beside one that is, less will do for those of typical area."""
        best = np.zeros(int(self.component.max(initial=0)) + 1)
        np.maximum.at(best, self.component, self.confidence)
        relaxed = best[self.component] >= min_confidence
        relaxed &= self.area_px >= LIMITS.relaxed_area * typical_px
        least = np.where(relaxed, LIMITS.relaxed * min_confidence, min_confidence)
        return np.asarray((self.confidence >= least) & (self.component > 0), bool)


def _parted(
    pixels: Flat,
    components: NDArray[Any],
    probability: NDArray[np.uint8],
    marker: NDArray[np.uint8],
    least: int,
    marker_rise: float,
    use_size_prior: bool | SizePrior,
) -> tuple[Flat, list[_Parts]]:
    """Return the instance of each pixel; and the parts of crowded components, here and at other rises."""
    component = components.ravel()[pixels].astype(np.intp)
    count = int(component.max())
    foreground = components > 0
    # Peaks within the foreground only: the marker map outside is ignored.
    inside = np.where(foreground, marker, 0)
    high = local_maxima(inside, connectivity=2) & foreground  # type: ignore[no-untyped-call]
    peaks, peak_count = ndimage.label(high, structure=EIGHT)
    where = np.flatnonzero(high)
    component_of_peak = np.zeros(peak_count + 1, dtype=np.intp)
    # Low peaks flood too: else the border of two basins could run over a hill instead of through a pass.
    tall = where[inside.ravel()[where] >= least]
    component_of_peak[peaks.ravel()[tall]] = components.ravel()[tall]
    crowded = (np.bincount(component_of_peak[1:], minlength=count + 1) > 1)[component]
    if not crowded.any():
        return component, []
    members, member_of = pixels[crowded], component[crowded]
    heights = marker.ravel()[members].astype(np.intp)
    basins = flooded(members, member_of, heights, peaks.ravel()[members], components.shape)
    basin = basins.of_pixels
    instances = component.copy()
    prior = use_size_prior if isinstance(use_size_prior, SizePrior) else None
    roots = basins.joined(marker_rise * 255, least, prior)
    instances[crowded] = count + roots[basin]
    if use_size_prior:
        alone = _alone(pixels, component, instances, components.shape)
        alone &= _confidence(pixels, instances, probability, marker) >= LIMITS.sure
        if found := SizePrior.of(np.sqrt(4 / np.pi * np.bincount(instances)[alone])):
            prior = found
            roots = basins.joined(marker_rise * 255, least, prior)
            instances[crowded] = count + roots[basin]
    # Sums of each basin, from which those of joined ones follow.
    light = np.bincount(basin, probability.ravel()[members])
    component_of = np.zeros(roots.size, np.intp)
    component_of[basin] = member_of

    def parts(numbers: Flat) -> _Parts:
        joined_px = np.bincount(numbers, basins.areas_px, minlength=roots.size).astype(np.intp)
        tallest = np.zeros(roots.size)
        np.maximum.at(tallest, numbers, basins.heights)
        mean = np.bincount(numbers, light, minlength=roots.size) / np.maximum(joined_px, 1)
        return _Parts(np.where(joined_px > 0, component_of, 0), joined_px, mean * tallest / 255**2)

    others = (basins.joined(factor * marker_rise * 255, least, prior) for factor in LIMITS.rises)
    return instances, [parts(numbers) for numbers in (roots, *others)]


def without(labels: NDArray[np.uint32], removed: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """Return labels 1..n without the removed ones, shape (n,), and the others renumbered from 1."""
    numbers = np.append(0, np.where(removed, 0, np.cumsum(~removed))).astype(np.uint32)
    return numbers[labels]


def renumbered(labels: NDArray[np.uint32], parts: Sequence[int]) -> tuple[NDArray[np.uint32], list[int]]:
    """Return labels 1..n in order of their first pixels, and the new numbers of some of them, `parts`."""
    labels = np.ascontiguousarray(labels)
    pixels = np.flatnonzero(labels)
    instances = labels.ravel()[pixels].astype(np.intp)
    count = int(instances.max(initial=0))
    numbers = _numbers(pixels, instances, np.arange(count + 1) > 0)
    result = np.zeros_like(labels)
    result.ravel()[pixels] = numbers[instances]
    return result, sorted(numbers[list(parts)].tolist())


def _alone(pixels: Flat, components: Flat, instances: Flat, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which instances are alone in their component, with no pixel on the edge of the plane."""
    component = np.zeros(int(instances.max()) + 1, np.intp)
    component[instances] = components
    alone: NDArray[np.bool_] = (np.bincount(component) == 1)[component] & (component > 0)
    return alone & ~_at_edge(pixels, instances, shape)


def _at_edge(pixels: Flat, instances: Flat, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which instances have a pixel on the edge of the plane."""
    rows, columns = np.divmod(pixels, shape[1])
    outer = (rows == 0) | (rows == shape[0] - 1) | (columns == 0) | (columns == shape[1] - 1)
    at_edge = np.zeros(int(instances.max()) + 1, bool)
    at_edge[instances[outer]] = True
    return at_edge


def _confidence(
    pixels: Flat, instances: Flat, probability: NDArray[np.uint8], marker: NDArray[np.uint8] | None
) -> NDArray[np.float64]:
    """Return the mean probability of each instance times its marker height, 0..1."""
    areas = np.maximum(np.bincount(instances), 1)
    mean = np.bincount(instances, weights=probability.ravel()[pixels]) / areas / 255
    if marker is None:
        return mean
    height = np.zeros(areas.size, np.uint8)
    np.maximum.at(height, instances, marker.ravel()[pixels])
    return mean * height / 255


def _level(threshold: float) -> int:
    return max(1, round(threshold * 255))


def _holes(foreground: NDArray[np.bool_], labels: NDArray[np.uint32]) -> tuple[Flat, NDArray[np.intp]]:
    """Return the pixels of holes enclosed by one instance and no larger than it, and its label for each."""
    # Background is 4-connected, the dual of the 8-connected foreground: a closed outline may have corners.
    background, count = ndimage.label(~foreground)
    hole = np.ones(count + 1, dtype=bool)
    outside = _edge(background)
    hole[np.append(outside, 0)] = False
    if not hole.any():
        return np.empty(0, np.intp), np.empty(0, np.intp)
    # Excluding the largest component by comparison avoids a look-up for every pixel of the plane.
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


def _numbers(pixels: Flat, instances: Flat, kept: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """Give the kept instances the numbers 1..n in order of their first pixel, and the others 0."""
    first = np.zeros(kept.size, dtype=np.intp)
    # The last assignment to an index wins: going backwards leaves the first pixel.
    first[instances[::-1]] = pixels[::-1]
    survivors = np.flatnonzero(kept)
    numbers = np.zeros(kept.size, dtype=np.uint32)
    numbers[survivors[np.argsort(first[survivors])]] = np.arange(1, survivors.size + 1)
    return numbers
