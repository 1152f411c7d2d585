"""From the network's maps to instances: which pixel belongs to which bead.

Maps are uint8, 0..255 for 0..1: smaller and several times faster than float32, and finer than the network's
error. The marker map is trained as the distance to the bead's own edge over the largest one in that bead, so
touching beads have separate peaks. Foreground, peaks and flooding are 8-connected: the thin crescent of a
half-hidden bead has a slanting one-pixel ridge, which 4-connected peaks would break up.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl import scratch
from beadctl.images import in_rows
from beadctl.model.joiner import Joiner
from beadctl.segmentation.basins import MARKER_RISE, Basins, basins_of
from beadctl.segmentation.holes import Holes, holes_of
from beadctl.segmentation.joining import joined
from beadctl.segmentation.size_prior import SizePrior
from beadctl.segmentation.watershed import Flat


@dataclass(frozen=True)
class ConfidenceLimits:
    """Limits on the confidence of beads.

    =============  =====  ======  ======================================================================
    name           value  unit    why
    =============  =====  ======  ======================================================================
    sure           0.8    0..1    beads for the size prior; of less confident ones over a quarter are wrong
    relaxed        0.75   factor  of the minimum confidence, for beads that touch a confident one
    relaxed_area   0.6    share   of the typical area that such a bead has at least; less is a splinter
    lenient        0.5    0..1    least confidence at which the most beads are counted, and
    strict         0.8    0..1    at which the fewest are
    rises          0.5    factor  on the least rise of a marker, at which most beads are parted, and
                   2.0            at which the fewest are
    =============  =====  ======  ======================================================================
    """

    sure: float = 0.8
    relaxed: float = 0.75
    relaxed_area: float = 0.6
    lenient: float = 0.5
    strict: float = 0.8
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
    count : int
        Number of beads at those of the options.
    specks, specks_px : int
        Number and area, px, of objects that were left out for a stated diameter alone.
    basins : int
        Number of basins of which the beads are made.
    """

    labels: NDArray[np.uint32]
    fewest: int = 0
    most: int = 0
    count: int = 0
    specks: int = 0
    specks_px: int = 0
    basins: int = 0


def find_beads(  # noqa: PLR0913
    probability: NDArray[np.uint8],
    marker: NDArray[np.uint8] | None,
    *,
    threshold: float,
    marker_threshold: float,
    min_area_px: int,
    join_by: float | Joiner = MARKER_RISE,
    min_confidence: float = 0.0,
    use_size_prior: bool | SizePrior = True,
    gaps: NDArray[np.bool_] | None = None,
) -> Found:
    """Find every bead of a plane.

    A component of the foreground with one peak of the marker map, or with none (a small bead may not reach
    `marker_threshold`), is one bead. One with several is divided by a marker-controlled watershed [1]_, and
    a joiner tells which of its basins are one bead. Without a joiner, a peak that rises less than a least
    rise above the pass to a higher one (its dynamics [2]_) is joined to it. Without a marker map the peaks
    are those of the distance transform. Holes that one bead encloses and that are no larger than the
    rest of it are filled: rings are beads. The label image is uint32 (H, W), with beads 1..n in raster order
    of their first pixel.

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
    join_by : float or Joiner
        Least rise of a peak above the pass to a higher one, 0..1, for beads of 10 px, see `RiseLimits`; or by
        what neighbouring basins are joined, and then `marker_threshold` decides nothing.
    min_confidence : float
        Least confidence of a bead, 0..1: its mean probability times the root of its marker height; see
        `ConfidenceLimits`.
    use_size_prior : bool or SizePrior
        Let the sizes of the beads that stand alone raise or lower the rise at which others are divided, and
        decide which areas are typical. A prior of a stated diameter divides before they do; by it small
        objects are dropped, and beads of about its size need less confidence.
    gaps : ndarray of bool, shape (H, W), optional
        Where the plane has no values; what they cut tells nothing of sizes, like what the plane's edge cuts.

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
    level, least = level_of(threshold), level_of(marker_threshold)
    labels, basins = basins_of(probability, marker, level, least, gaps)
    if len(basins.height) == 1:
        return Found(labels)
    instance, more_and_fewer = np.arange(len(basins.height)), list[Flat]()
    if marker is not None:
        instance, *more_and_fewer = _instances(basins, join_by, least, use_size_prior)
    whole, *others = (_Parts.of(basins, one) for one in (instance, *more_and_fewer))
    holes = holes_of(labels, instance[basins.of_number], whole.area_px, probability, marker)
    areas, confidence = _filled(basins, instance, holes)
    least_px: float = max(1, min_area_px)
    large = areas >= least_px
    small = np.zeros(large.shape, bool)
    if isinstance(use_size_prior, SizePrior):
        small = large & (areas < use_size_prior.least_area_px) & ~_any(basins.at_edge, instance)
        large &= ~small
        least_px = max(least_px, use_size_prior.least_area_px)
        confidence = use_size_prior.raised(confidence, areas)
    without_holes, whole = whole, replace(whole, confidence=confidence)
    typical_px = whole.typical_px if use_size_prior else 0.0
    sure = whole.sure(min_confidence, typical_px)
    kept, specks = large & sure, small & sure
    counts = [int(kept.sum())]
    for certain in (LIMITS.lenient, LIMITS.strict):
        counts += [int((large & whole.sure(certain, typical_px)).sum())]
    # Holes are left aside here, so only differences tell.
    at_rises = [
        int((one.sure(min_confidence, typical_px) & (one.area_px >= least_px)).sum())
        for one in (without_holes, *others)
    ]
    counts += [counts[0] + other - at_rises[0] for other in at_rises]
    number = _numbers(basins, instance, kept)
    _renumber(labels, np.concatenate((number[instance[basins.of_number]], number[holes.owner])))
    return Found(
        labels,
        fewest=max(0, min(counts)),
        most=max(counts),
        count=counts[0],
        specks=int(specks.sum()),
        specks_px=int(areas[specks].sum()),
        basins=len(basins.height) - 1,
    )


def level_of(threshold: float) -> int:
    """Return the least value of a map, 1..255, that reaches a threshold, 0..1: 0 reaches none.

    Examples
    --------
    >>> level_of(0.5), level_of(0.001)
    (128, 1)
    """
    return max(1, round(threshold * 255))


def _instances(
    basins: Basins, join_by: float | Joiner, least: int, use_size_prior: bool | SizePrior
) -> tuple[Flat, Flat, Flat]:
    """Return the instance of each basin, (n,), and those where most and fewest basins are parted."""
    prior = use_size_prior if isinstance(use_size_prior, SizePrior) else None
    if isinstance(join_by, Joiner):
        found = joined(basins, join_by, prior, by_population=bool(use_size_prior))
        return found.instance, found.most, found.fewest
    rise = join_by * 255
    instance = basins.joined(rise, least, prior)
    if use_size_prior and (alone := _prior_of(basins, instance)):
        prior = alone
        instance = basins.joined(rise, least, prior)
    most, fewest = (basins.joined(factor * rise, least, prior) for factor in LIMITS.rises)
    return instance, most, fewest


@dataclass(frozen=True, eq=False)
class _Parts:
    """Instances by their numbers: component, 0 for a number that is not used; area; confidence; each (n,)."""

    component: Flat
    area_px: Flat
    confidence: NDArray[np.float64]

    @classmethod
    def of(cls, basins: Basins, instance: Flat) -> "_Parts":
        """Sum up basins, (n,), by the instance that each belongs to; holes are left aside."""
        count = len(instance)
        area_px = np.bincount(instance, basins.area_px, count).astype(np.intp)
        component = np.where(area_px > 0, basins.component, 0)
        height = _highest(basins.height, instance, count)
        return cls(
            component, area_px, _confidence(np.bincount(instance, basins.light, count), area_px, height)
        )

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


def _prior_of(basins: Basins, instance: Flat) -> SizePrior | None:
    """Return the sizes of sure instances that are alone in their component, that nothing cuts."""
    parts = _Parts.of(basins, instance)
    alone = (np.bincount(parts.component) == 1)[parts.component] & (parts.component > 0)
    alone &= ~_any(basins.at_edge, instance) & (parts.confidence >= LIMITS.sure)
    return SizePrior.of(np.sqrt(4 / np.pi * parts.area_px[alone]))


def _filled(basins: Basins, instance: Flat, holes: Holes) -> tuple[Flat, NDArray[np.float64]]:
    """Return area and confidence of instances, (n,), their holes included."""
    count, owned = len(instance), holes.owner > 0
    both = np.concatenate((instance, holes.owner[owned]))

    def column(name: str) -> NDArray[Any]:
        return np.concatenate((getattr(basins, name), getattr(holes, name)[owned]))

    area_px = np.bincount(both, column("area_px"), count).astype(np.intp)
    light = np.bincount(both, column("light"), count)
    return area_px, _confidence(light, area_px, _highest(column("height"), both, count))


def _confidence(light: NDArray[Any], area_px: NDArray[Any], height: NDArray[Any]) -> NDArray[np.float64]:
    """Return the mean probability of instances times the root of their marker height, 0..1."""
    return np.asarray(light / np.maximum(area_px, 1) / 255 * np.sqrt(height / 255))


def _highest(height: Flat, instance: Flat, count: int) -> Flat:
    highest = np.zeros(count, np.intp)
    np.maximum.at(highest, instance, height)
    return highest


def _any(flag: NDArray[np.bool_], instance: Flat) -> NDArray[np.bool_]:
    """Return which instances have a basin of a flag, (n,)."""
    return np.bincount(instance, flag, len(instance)) > 0


def _numbers(basins: Basins, instance: Flat, kept: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """Give the kept instances the numbers 1..n in order of their first pixel, and the others 0."""
    first = np.full(len(instance), np.iinfo(np.int64).max)
    np.minimum.at(first, instance, basins.first)
    return _in_order(first, kept)


def _in_order(first: NDArray[np.int64], kept: NDArray[np.bool_]) -> NDArray[np.uint32]:
    numbers = np.zeros(kept.size, dtype=np.uint32)
    survivors = np.flatnonzero(kept)
    numbers[survivors[np.argsort(first[survivors])]] = np.arange(1, survivors.size + 1)
    return numbers


def _renumber(labels: NDArray[np.uint32], number: NDArray[np.uint32]) -> None:
    """Replace each label of a label image by its number."""
    for rows in scratch.bands(*labels.shape):
        band = labels[rows].ravel()
        pixels = np.flatnonzero(band != 0)
        band[pixels] = number[band[pixels]]
        scratch.release(labels)


def without(labels: NDArray[np.uint32], removed: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """Return labels 1..n without the removed ones, shape (n,), and the others renumbered from 1."""
    number = np.append(0, np.where(removed, 0, np.cumsum(~removed))).astype(np.uint32)
    result = scratch.zeros(labels.shape, np.uint32)
    for rows in scratch.bands(*labels.shape):
        result[rows] = number[labels[rows]]
        scratch.release(labels, result)
    return result


def renumbered(labels: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return labels 1..n in order of their first pixels."""
    given, labels = labels, in_rows(labels)
    first = np.full(1, np.iinfo(np.int64).max)
    # Backwards the last assignment to an index, which wins, is that of its first pixel.
    for rows in reversed(list(scratch.bands(*labels.shape))):
        band = np.asarray(labels[rows])
        begins = band != 0
        begins[:, 1:] &= band[:, 1:] != band[:, :-1]
        pixels = np.flatnonzero(begins)[::-1]
        number = band.ravel()[pixels]
        more = int(number.max(initial=0)) + 1 - len(first)
        first = np.append(first, np.full(max(0, more), np.iinfo(np.int64).max))
        first[number] = pixels + rows.start * labels.shape[1]
        scratch.release(labels)
    present = first < np.iinfo(np.int64).max
    present[0] = False
    number = _in_order(first, present)
    result = scratch.copied(labels) if labels is given else labels
    _renumber(result, number)
    return result
