"""What tells beads from the other objects that a network finds: a classifier of objects in the model file."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.model.perceptron import Floats, Perceptron

# What a classifier is shown of an object, in order; measured by `beadctl.segmentation.objects`.
FEATURES = (
    "log-probability",
    "log-marker",
    "circularity",
    "aspect",
    "log-diameter",
    "log-diameter-ratio",
    "clump",
    "border",
)
# Objects, half of them beads, that are added to those of a plane when the share of its beads is estimated.
ADDED = 1.0
# Times that the interval of this share is halved: to 1e-9.
HALVINGS = 30


@dataclass(frozen=True)
class ObjectClassifier:
    """From features of an object to the probability that it is a bead.

    Attributes
    ----------
    least, least_in_plane : float
        Probabilities below which an object is no bead, 0 to 1: by what it looks like, and by how many of the
        objects of its plane look like beads.
    share : float
        Share of beads among the objects it was fitted to, between 0 and 1.
    perceptron : Perceptron
        From the features of an object to the log-odds of being a bead.
    """

    least: float
    least_in_plane: float
    share: float
    perceptron: Perceptron

    def to_json(self) -> dict[str, Any]:
        """Return what the metadata of a model file hold, with the names of the features."""
        own = {"least": self.least, "least_in_plane": self.least_in_plane, "share": self.share}
        return dataclasses.asdict(self.perceptron) | own | {"features": list(FEATURES)}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "ObjectClassifier":
        """Return the classifier that the metadata of a model file hold.

        Raises
        ------
        KeyError, TypeError, ValueError
            If they hold something else.
        """
        read = cls(
            float(content["least"]),
            float(content["least_in_plane"]),
            float(content["share"]),
            Perceptron.from_json(content, FEATURES),
        )
        if not all(map(math.isfinite, (read.least, read.least_in_plane))) or not 0 < read.share < 1:
            raise ValueError("a classifier of the wrong form")
        return read

    def probability(self, features: Floats) -> Floats:
        """Return the probability that each object is a bead, (n,), by what it looks like.

        Parameters
        ----------
        features : ndarray of float64, shape (n, k)
            One row an object, by default of `FEATURES`.

        Examples
        --------
        >>> even = ObjectClassifier(0.5, 0.5, 0.5, Perceptron((0.0,), (1.0,), ((1.0, 0.0),), (0.0, 0.0)))
        >>> even.probability(np.array([[3.0]]))
        array([0.5])
        """
        return np.asarray(1 / (1 + np.exp(-self.perceptron.log_odds(features))))

    def is_bead(self, features: Floats) -> NDArray[np.bool_]:
        """Return which objects of a plane are beads, bool (n,).

        Parameters
        ----------
        features : ndarray of float64, shape (n, k)
            One row an object, all of one plane.
        """
        probability = self.probability(features)
        in_plane = of_plane(probability, self.share)
        return np.asarray((probability >= self.least) & (in_plane >= self.least_in_plane))


def of_plane(probability: Floats, share: float) -> Floats:
    """Return the probability that each object of a plane is a bead, by how many of its objects are, (n,).

    A field of beads has a larger share of beads among its objects than a field of dirt. That of the plane is
    the one that its objects make most likely [1]_, with `ADDED` objects beside them.

    Parameters
    ----------
    probability : ndarray of float64, shape (n,)
        That each object is a bead, where `share` of the objects are.
    share : float
        Between 0 and 1.

    References
    ----------
    .. [1] Saerens, Latinne & Decaestecker, "Adjusting the outputs of a classifier to new a priori
       probabilities: a simple procedure", Neural Computation 14, 2002, pp. 21-41.

    Examples
    --------
    >>> of_plane(np.array([0.3]), 0.5).round(2)
    array([0.18])
    >>> of_plane(np.full(50, 0.3), 0.5).round(2)[:1]
    array([0.01])
    """
    count = len(probability)
    if not count:
        return probability

    def at(plane: float) -> Floats:
        bead = probability * (plane / share)
        other = (1 - probability) * ((1 - plane) / (1 - share))
        return np.asarray(bead / (bead + other))

    lowest, highest = ADDED / 2 / (count + ADDED), (count + ADDED / 2) / (count + ADDED)
    for _ in range(HALVINGS):
        middle = (lowest + highest) / 2
        if (float(at(middle).sum()) + ADDED / 2) / (count + ADDED) > middle:
            lowest = middle
        else:
            highest = middle
    return at(middle)
