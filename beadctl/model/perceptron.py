"""A perceptron with one hidden layer, small enough to be kept as numbers in the metadata of a model file."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Standard deviations from the mean beyond which a feature says no more.
LARGEST = 5.0


@dataclass(frozen=True)
class Perceptron:
    """From features to the logarithm of odds.

    Attributes
    ----------
    middle, spread : tuple of float
        Mean and standard deviation of each feature among the samples it was fitted to.
    hidden : tuple of tuple of float
        For each hidden unit, a weight for each feature and the offset.
    output : tuple of float
        A weight for each hidden unit and the offset.
    """

    middle: tuple[float, ...]
    spread: tuple[float, ...]
    hidden: tuple[tuple[float, ...], ...]
    output: tuple[float, ...]

    @classmethod
    def from_json(cls, content: Mapping[str, Any], features: Sequence[str]) -> "Perceptron":
        """Return the perceptron that the metadata of a model file hold.

        Parameters
        ----------
        content : mapping
            Its attributes, and ``features``, the names of the features that it was fitted to.
        features : sequence of str
            Those that this beadctl measures.

        Raises
        ------
        KeyError, TypeError, ValueError
            If they hold something else.
        """
        read = cls(
            tuple(map(float, content["middle"])),
            tuple(map(float, content["spread"])),
            tuple(tuple(map(float, unit)) for unit in content["hidden"]),
            tuple(map(float, content["output"])),
        )
        if tuple(content["features"]) != tuple(features):
            raise ValueError("features unknown to this beadctl; update beadctl")
        numbers = [*read.middle, *read.spread, *read.output, *itertools.chain(*read.hidden)]
        if (
            {len(read.middle), len(read.spread), *(len(unit) - 1 for unit in read.hidden)} != {len(features)}
            or len(read.output) != len(read.hidden) + 1
            or not all(map(math.isfinite, numbers))
            or min(read.spread) <= 0
        ):
            raise ValueError("a perceptron of the wrong form")
        return read

    def log_odds(self, features: Floats) -> Floats:
        """Return the logarithm of the odds of each sample, (n,).

        Parameters
        ----------
        features : ndarray of float64, shape (n, k)
            One row a sample.

        Examples
        --------
        >>> Perceptron((0.0,), (1.0,), ((1.0, 0.0),), (0.0, 0.5)).log_odds(np.array([[3.0]]))
        array([0.5])
        """
        scaled = np.clip((features - self.middle) / self.spread, -LARGEST, LARGEST)
        hidden = np.array(self.hidden).T
        activity = np.tanh(scaled @ hidden[:-1] + hidden[-1])
        return np.asarray(activity @ np.array(self.output[:-1]) + self.output[-1])
