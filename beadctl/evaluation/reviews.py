"""Fit the reviewer of counts to annotated images: which planes are counted wrongly."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from beadctl.evaluation.fitting import fitted_perceptron, mean_of, scale_of
from beadctl.model.perceptron import Floats
from beadctl.model.reviewer import Reviewer
from beadctl.segmentation.plane import Segmented


@dataclass(frozen=True)
class ReviewLimits:
    """How a reviewer is fitted.

    =======  =====  ==========================================================================
    name     value  why
    =======  =====  ==========================================================================
    wrong    0.2    share of the true count; a count is wrong that is off by more, and by over one bead
    fits     8      perceptrons of which the mean is taken, from other weights at the start
    units    6      hidden units of each
    decay    5.0    weight of the squares of the weights, over the number of planes
    =======  =====  ==========================================================================
    """

    wrong: float = 0.2
    fits: int = 8
    units: int = 6
    decay: float = 5.0


LIMITS = ReviewLimits()


@dataclass(frozen=True, eq=False)
class Reviewed:
    """What a reviewer is shown of an annotated plane, (k,), and whether its count is wrong."""

    features: Floats
    is_wrong: bool

    @classmethod
    def of(cls, segmented: Segmented, truth: NDArray[np.integer]) -> "Reviewed":
        """Compare the count of a plane with its true label image, (H, W).

        Raises
        ------
        ValueError
            If no network found the beads of the plane.
        """
        if segmented.features is None:
            raise ValueError("no network found the beads of the plane")
        true = len(np.unique(truth[truth > 0]))
        off = abs(len(segmented.table) - true)
        return cls(segmented.features, off > max(1, LIMITS.wrong * true))


def fitted_reviewer(planes: Sequence[Reviewed]) -> Reviewer:
    """Return the reviewer that tells planes with wrong counts from the others best.

    Parameters
    ----------
    planes : sequence of Reviewed
        Each weighs alike.
    """
    features = np.array([one.features for one in planes])
    is_wrong = np.array([one.is_wrong for one in planes])
    fits = (
        fitted_perceptron(
            features,
            is_wrong,
            units=LIMITS.units,
            decay=LIMITS.decay,
            seed=k,
            scale=scale_of(features),
        )
        for k in range(LIMITS.fits)
    )
    return Reviewer(mean_of(list(fits)))
