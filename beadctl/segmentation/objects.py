"""Objects that are no beads: pieces of dirt that the network took for beads, told by size and shape."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from beadctl.model.classifier import FEATURES, ObjectClassifier
from beadctl.segmentation.bead_table import BeadTable

# Least probabilities to be a bead at which the most and the fewest objects would be counted.
LENIENT, STRICT = 0.1, 0.7


def features_of(table: BeadTable, diameter_px: float | None = None) -> NDArray[np.float64]:
    """Return what a classifier is shown of each object, (n, len(FEATURES)).

    These are the logarithms of mean probability and marker height, circularity, aspect ratio, the logarithm
    of the diameter in px, by how much it differs from that of a typical object of the plane, and whether the
    object touches another one or the border of the plane.

    Parameters
    ----------
    table : BeadTable
        The measurements of n objects, by the network's maps too.
    diameter_px : float, optional
        Of a typical bead; by default the median of the objects.
    """
    mean = table.mean_probability
    height = np.where(np.isnan(table.marker_height), mean, table.marker_height)
    diameter = table.diameter_px
    typical = diameter_px or (float(np.median(diameter)) if len(diameter) else 1.0)
    columns = {
        "log-probability": np.log(np.maximum(mean, 1 / 255)),
        "log-marker": np.log(np.maximum(height, 1 / 255)),
        "circularity": table.roundness,
        "aspect": table.major_axis_px / np.maximum(table.minor_axis_px, 1.0),
        "log-diameter": np.log(diameter),
        "log-diameter-ratio": np.abs(np.log(diameter / typical)),
        "clump": table.clump,
        "border": table.border,
    }
    return np.column_stack([columns[name] for name in FEATURES]).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Judged:
    """Which objects of a plane are no beads, and how many of all are unsure.

    Attributes
    ----------
    gone : ndarray of bool, shape (n,)
        True for each object that is no bead.
    unsure : int
        Number of objects with a probability to be a bead from `LENIENT` to below `STRICT`.
    """

    gone: NDArray[np.bool_]
    unsure: int = 0


def judged(table: BeadTable, classifier: ObjectClassifier | None, diameter_px: float | None = None) -> Judged:
    """Judge the objects of a plane; without a classifier all are beads.

    Parameters
    ----------
    table, diameter_px
        As for `features_of`.
    classifier : ObjectClassifier or None
        That of the model file.
    """
    if classifier is None or not len(table):
        return Judged(np.zeros(len(table), bool))
    features = features_of(table, diameter_px)
    probability = classifier.probability(features)
    unsure = (probability >= LENIENT) & (probability < STRICT)
    return Judged(~classifier.is_bead(features), int(unsure.sum()))
