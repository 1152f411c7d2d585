"""What tells the parts of one bead from touching beads: a joiner of basins in the model file."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from beadctl.model.perceptron import Perceptron

# What a joiner is shown of two neighbouring regions, in order; measured by `beadctl.segmentation.regions`.
JOIN_FEATURES = (
    "marker-lower",
    "marker-higher",
    "pass",
    "pass-share",
    "log-diameter-lower",
    "log-diameter-higher",
    "log-diameter-union",
    "fill-lower",
    "fill-higher",
    "fill-union",
    "log-aspect-union",
    "contact",
    "distance",
    "probability-lower",
    "probability-higher",
    "probability-border",
    "marker-border",
    "population",
    "size-lower",
    "size-higher",
    "size-union",
    "population-spread",
    "population-fill",
    "population-log-aspect",
)


@dataclass(frozen=True)
class Joiner:
    """By which two neighbouring regions are joined to one bead.

    Attributes
    ----------
    least : float
        Probability of being parts of one bead from which on regions are joined, between 0 and 1.
    perceptron : Perceptron
        From the features of two regions to the log-odds of being parts of one bead.
    """

    least: float
    perceptron: Perceptron

    @property
    def least_log_odds(self) -> float:
        """The logarithm of the odds of `least`."""
        return math.log(self.least / (1 - self.least))

    def to_json(self) -> dict[str, Any]:
        """Return what the metadata of a model file hold, with the names of the features."""
        return dataclasses.asdict(self.perceptron) | {"least": self.least, "features": list(JOIN_FEATURES)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Joiner":
        """Return the joiner that the metadata of a model file hold.

        Raises
        ------
        KeyError, TypeError, ValueError
            If they hold something else.
        """
        read = cls(float(content["least"]), Perceptron.from_json(content, JOIN_FEATURES))
        if not 0 < read.least < 1:
            raise ValueError("a joiner of the wrong form")
        return read
