"""What tells beads from the other objects that a network finds: a classifier of objects in the model file."""

import dataclasses
import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

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
# Standard deviations from the mean beyond which a feature says no more.
LARGEST = 5.0


@dataclass(frozen=True)
class ObjectClassifier:
    """A perceptron with one hidden layer, from features of an object to the probability that it is a bead.

    Attributes
    ----------
    least : float
        Probability below which an object is no bead, 0 to 1.
    middle, spread : tuple of float
        Mean and standard deviation of each feature among the objects it was fitted to.
    hidden : tuple of tuple of float
        For each hidden unit, a weight for each feature and the offset.
    output : tuple of float
        A weight for each hidden unit and the offset.
    """

    least: float
    middle: tuple[float, ...]
    spread: tuple[float, ...]
    hidden: tuple[tuple[float, ...], ...]
    output: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """Return what the metadata of a model file hold, with the names of the features."""
        return dataclasses.asdict(self) | {"features": list(FEATURES)}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "ObjectClassifier":
        """Return the classifier that the metadata of a model file hold.

        Raises
        ------
        TypeError, ValueError
            If they hold something else.
        """
        read = cls(
            float(content["least"]),
            tuple(map(float, content["middle"])),
            tuple(map(float, content["spread"])),
            tuple(tuple(map(float, unit)) for unit in content["hidden"]),
            tuple(map(float, content["output"])),
        )
        if tuple(content["features"]) != FEATURES:
            raise ValueError("a classifier of features unknown to this beadctl; update beadctl")
        numbers = [read.least, *read.middle, *read.spread, *read.output, *itertools.chain(*read.hidden)]
        if (
            {len(read.middle), len(read.spread), *(len(unit) - 1 for unit in read.hidden)} != {len(FEATURES)}
            or len(read.output) != len(read.hidden) + 1
            or not all(map(math.isfinite, numbers))
            or min(read.spread) <= 0
        ):
            raise ValueError("a classifier of the wrong form")
        return read

    def probability(self, features: Floats) -> Floats:
        """Return the probability that each object is a bead, (n,).

        Parameters
        ----------
        features : ndarray of float64, shape (n, k)
            One row an object, by default of `FEATURES`.

        Examples
        --------
        >>> even = ObjectClassifier(0.5, (0.0,), (1.0,), ((1.0, 0.0),), (0.0, 0.0))
        >>> even.probability(np.array([[3.0]]))
        array([0.5])
        """
        scaled = np.clip((features - self.middle) / self.spread, -LARGEST, LARGEST)
        hidden = np.array(self.hidden).T
        activity = np.tanh(scaled @ hidden[:-1] + hidden[-1])
        return np.asarray(1 / (1 + np.exp(-(activity @ np.array(self.output[:-1]) + self.output[-1]))))
