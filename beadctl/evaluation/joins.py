"""Fit the joiner of basins to annotated images: which neighbouring regions are parts of one bead."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from beadctl.errors import ModelError
from beadctl.evaluation.fitting import fitted_perceptron, mean_of, scale_of
from beadctl.model.joiner import Joiner
from beadctl.model.perceptron import Floats
from beadctl.segmentation.basins import basins_of
from beadctl.segmentation.instances import level_of
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.prediction import PredictedPlane
from beadctl.segmentation.regions import Regions
from beadctl.segmentation.watershed import Flat


@dataclass(frozen=True)
class JoinLimits:
    """How a joiner is fitted.

    =======  =======  ==========================================================================
    name     value    why
    =======  =======  ==========================================================================
    fits     4        perceptrons of which the mean is taken, each fitted to pairs of its own
    units    12       hidden units of each
    decay    10.0     weight of the squares of the weights, over the number of pairs
    pairs    100,000  drawn for each from those of all images, each image as often as another; as many as
                      there are, if they are fewer
    share    0.4      of the joins that are right, made at a time: pairs are seen at every stage
    known    0.7      share of the times at which the population is known
    beside   0.3      weight of a pair of a bead and something else
    least    0.3      probability from which on regions are joined
    fewest   100      pairs of one bead, and of others, that half of the images must have
    =======  =======  ==========================================================================
    """

    fits: int = 4
    units: int = 12
    decay: float = 10.0
    pairs: int = 100_000
    share: float = 0.4
    known: float = 0.7
    beside: float = 0.3
    least: float = 0.3
    fewest: int = 100


LIMITS = JoinLimits()


@dataclass(frozen=True, eq=False)
class Joins:
    """Neighbours in one image: features (n, k), whether each are parts of one bead (n,), and weights (n,)."""

    features: Floats
    is_one: NDArray[np.bool_]
    weight: Floats

    @classmethod
    def of(
        cls, predicted: PredictedPlane, truth: NDArray[np.integer], options: SegmentOptions, seed: int = 0
    ) -> "Joins":
        """Return the neighbours that are met while the basins of a plane are joined as the truth says.

        A region is part of the bead that most of its pixels lie in.

        Parameters
        ----------
        predicted : PredictedPlane
            The network's maps; without a marker map there are no neighbours to learn from.
        truth : ndarray of int, shape (H, W)
            Label image of all beads of the plane.
        options : SegmentOptions
            Its thresholds, by which there are basins and a first population.
        seed : int
            Of the order of joining.

        Raises
        ------
        ModelError
            If the model has no marker map.
        """
        maps, rng = predicted.maps.turned_back(predicted.orientation), np.random.default_rng(seed)
        if maps.marker is None:
            raise ModelError(
                "a model without a marker map has no basins to join; train one with this beadctl"
            )
        level, least = level_of(options.threshold), level_of(options.marker_threshold)
        labels, basins = basins_of(maps.probability, maps.marker, level, least)
        bead = _most_of(basins.of_number[labels], truth, len(basins.height))
        regions = Regions.of(basins)
        population = regions.renamed(basins.joined(options.marker_rise * 255, least)).population
        features, is_one, weight = [], [], []
        while len(regions.borders.pairs):
            beads = bead[regions.borders.pairs]
            same = (beads[:, 0] == beads[:, 1]) & (beads[:, 0] > 0)
            features.append(regions.features(population if rng.random() < LIMITS.known else None))
            is_one.append(same)
            weight.append(np.choose((beads > 0).sum(axis=1), (0.0, LIMITS.beside, 1.0)))
            if not same.any():
                break
            chosen = same & (rng.random(same.size) < LIMITS.share)
            regions = regions.joined(chosen if chosen.any() else same)
        if not features:
            features, is_one, weight = [regions.features(None)], [np.zeros(0, bool)], [np.zeros(0)]
        return cls(np.concatenate(features), np.concatenate(is_one), np.concatenate(weight))


def _most_of(number: NDArray[np.integer], truth: NDArray[np.integer], count: int) -> Flat:
    """Return the bead that most pixels of each number lie in, (count,); 0 for none."""
    beads = int(truth.max(initial=0)) + 1
    code, pixels = np.unique(number.astype(np.int64) * beads + truth, return_counts=True)
    order = np.argsort(pixels, kind="stable")
    most = np.zeros(count, np.intp)
    most[code[order] // beads] = code[order] % beads
    return most


def fitted_joiner(images: Sequence[Joins]) -> Joiner:
    """Return the joiner that suits the neighbours of some images best.

    Each image weighs alike. Of pairs that are one bead and of those that are not, the rarer weigh more, by
    the root of their ratio.

    Parameters
    ----------
    images : sequence of Joins
        What was met in each image.
    """
    images = [one for one in images if one.weight.any()]
    weight = np.concatenate([one.weight / one.weight.sum() for one in images])
    is_one = np.concatenate([one.is_one for one in images])
    ratio = np.sqrt(weight[~is_one].sum() / weight[is_one].sum())
    weight = weight * np.where(is_one, np.sqrt(ratio), 1 / np.sqrt(ratio))
    features, chance = np.concatenate([one.features for one in images]), weight / weight.sum()
    pairs = min(LIMITS.pairs, len(chance))
    drawn = np.random.default_rng(0).choice(len(chance), (LIMITS.fits, pairs), p=chance)
    scale = scale_of(features[drawn.ravel()])
    fits = (
        fitted_perceptron(
            features[rows], is_one[rows], units=LIMITS.units, decay=LIMITS.decay, seed=k, scale=scale
        )
        for k, rows in enumerate(drawn)
    )
    return Joiner(LIMITS.least, mean_of(list(fits)))


@dataclass(frozen=True)
class CrossFitted:
    """A joiner fitted to images, and for each image the one that was fitted to the other half of them."""

    joiner: Joiner
    unseen: tuple[Joiner, ...]

    @classmethod
    def of(cls, images: Sequence[Joins]) -> "CrossFitted | None":
        """Fit to the first half of the images, to the rest, and to all; None if either has too few pairs.

        Images that follow each other may be tiles of one image, so they are kept together.
        """
        middle = len(images) // 2
        halves = images[:middle], images[middle:]
        if min(map(_pairs_of_the_rarer_kind, halves)) < LIMITS.fewest:
            return None
        first, second = map(fitted_joiner, halves)
        return cls(fitted_joiner(images), (second,) * len(halves[0]) + (first,) * len(halves[1]))


def _pairs_of_the_rarer_kind(images: Sequence[Joins]) -> int:
    parts = sum(int(one.is_one.sum()) for one in images)
    others = sum(int(((one.weight > 0) & ~one.is_one).sum()) for one in images)
    return min(parts, others)
