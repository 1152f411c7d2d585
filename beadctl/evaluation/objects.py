"""Fit the classifier of objects to annotated images: which of the objects found are beads."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from beadctl.evaluation.fitting import fitted_perceptron
from beadctl.evaluation.metrics import matched_labels
from beadctl.evaluation.scoring import Prediction
from beadctl.model.classifier import ObjectClassifier
from beadctl.model.perceptron import Floats
from beadctl.segmentation.objects import features_of
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.plane import label_plane


@dataclass(frozen=True)
class FitLimits:
    """How a classifier is fitted.

    ==============  ============  ==============================================================
    name            value         why
    ==============  ============  ==============================================================
    fewest          1000          objects that are beads, and that are none: fewer show no rule
    units           16            hidden units; boosted trees gain at most 0.007 in F1 over them
    decay           0.01          weight of the squares of the weights, over the number of objects
    least           0.1 .. 0.5    probabilities below which an object may be left out
    least_in_plane  0.03          by the other objects of its plane: 0.02 to 0.05 differ little on
                                  real images, and fields of dirt are too few to fit it
    ==============  ============  ==============================================================
    """

    fewest: int = 1000
    units: int = 16
    decay: float = 0.01
    least: tuple[float, ...] = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
    least_in_plane: float = 0.03


LIMITS = FitLimits()


@dataclass(frozen=True, eq=False)
class Objects:
    """The objects found in one image: features (n, k), whether each is a bead (n,), and the true beads."""

    features: Floats
    is_bead: NDArray[np.bool_]
    true: int

    @classmethod
    def of(cls, prediction: Prediction, options: SegmentOptions) -> "Objects":
        """Find the objects of a prediction without a classifier, and match them with the truth at IoU 0.5."""
        predicted = prediction.predicted
        found = label_plane(predicted.unlabelled, prediction.image, replace(options, classifier=None))
        is_bead = np.zeros(len(found.table), bool)
        is_bead[matched_labels(prediction.truth, found.labels)[:, 1] - 1] = True
        true = int(np.count_nonzero(np.unique(prediction.truth)))
        return cls(features_of(found.table), is_bead, true)


def fitted(images: Sequence[Objects], seed: int = 0) -> ObjectClassifier | None:
    """Return the classifier that suits the objects of some images best; None if they are too few.

    The least probability gives the highest sum of F1 and lowest count error, as in
    `beadctl.evaluation.calibration`.

    Parameters
    ----------
    images : sequence of Objects
        What was found in each image.
    seed : int
        Of the weights at the start.
    """
    is_bead = np.concatenate([one.is_bead for one in images])
    if min(int(is_bead.sum()), int((~is_bead).sum())) < LIMITS.fewest:
        return None
    features = np.concatenate([one.features for one in images])
    perceptron = fitted_perceptron(features, is_bead, units=LIMITS.units, decay=LIMITS.decay, seed=seed)
    classifier = ObjectClassifier(0.0, LIMITS.least_in_plane, float(is_bead.mean()), perceptron)
    candidates = (replace(classifier, least=least) for least in LIMITS.least)
    return min(candidates, key=lambda candidate: cost(images, candidate))


def cost(images: Sequence[Objects], classifier: ObjectClassifier) -> float:
    """Return the mean over images of (1 - F1) + count error."""
    total = 0.0
    for one in images:
        kept = classifier.is_bead(one.features)
        found, hits = int(kept.sum()), int((kept & one.is_bead).sum())
        total += 1 - (2 * hits / (found + one.true) if found + one.true else 1.0)
        total += abs(found - one.true) / max(found, one.true, 1)
    return total / max(len(images), 1)
