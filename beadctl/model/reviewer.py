"""What tells planes whose count is likely wrong from the others: a reviewer of counts in the model file."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scipy.special import expit

from beadctl.model.perceptron import Floats, Perceptron

# What a reviewer is shown of a plane, in order; measured by `beadctl.segmentation.review`.
REVIEW_FEATURES = (
    "log-count",
    "more",
    "fewer",
    "unsure",
    "artefacts",
    "log-basins",
    "confidence",
    "confidence-lowest",
    "clump",
    "log-diameter",
    "diameter-deviation",
    "diameter-spread",
    "fill",
    "fill-poor",
    "log-aspect",
    "log-aspect-highest",
    "covered",
    "probability",
    "probability-outside",
    "probability-undecided",
    "foreground-outside",
    "marker-outside",
    "marker-undecided",
    "log-shrink",
    "larger",
)


@dataclass(frozen=True)
class Reviewer:
    """From what a plane and its beads are like to the probability that their count is wrong.

    Attributes
    ----------
    perceptron : Perceptron
        From the features of a plane to the log-odds of a count that is off by more than a fifth.
    """

    perceptron: Perceptron

    def to_json(self) -> dict[str, Any]:
        """Return what the metadata of a model file hold, with the names of the features."""
        return dataclasses.asdict(self.perceptron) | {"features": list(REVIEW_FEATURES)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Reviewer":
        """Return the reviewer that the metadata of a model file hold.

        Raises
        ------
        KeyError, TypeError, ValueError
            If they hold something else.
        """
        return cls(Perceptron.from_json(content, REVIEW_FEATURES))

    def doubt(self, features: Floats) -> float:
        """Return the probability that the count of a plane is off by more than a fifth, 0..1.

        Parameters
        ----------
        features : ndarray of float64, shape (k,)
            Of the plane.

        Examples
        --------
        >>> import numpy as np
        >>> Reviewer(Perceptron((0.0,), (1.0,), ((1.0, 0.0),), (0.0, 0.0))).doubt(np.zeros(1))
        0.5
        """
        return float(expit(self.perceptron.log_odds(features[None])[0]))
