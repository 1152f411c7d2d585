"""How large the beads of a plane are, as a whole: what a doubtful one is held against."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# From fewer beads nobody knows what is usual.
FEWEST = 6
# Outlines of a few pixels are not known better than this, as a share of the diameter.
LEAST_SPREAD = 0.12
# Beyond this a bead is odd, and more odd is no more: other beads, not this prior.
MOST_ODD = 4.0


@dataclass(frozen=True)
class SizePrior:
    """The diameters of the beads of a plane, log-normal.

    Attributes
    ----------
    diameter_px : float
        The median.
    spread : float
        Standard deviation of the logarithm of the diameter: about the coefficient of variation.
    """

    diameter_px: float
    spread: float

    @classmethod
    def of(
        cls, diameters_px: NDArray[np.float64], weights: NDArray[np.float64] | None = None
    ) -> SizePrior | None:
        """Take the median, and the spread from the median of the distances to it, which strays bend little.

        Parameters
        ----------
        diameters_px : ndarray, shape (n,)
            Of beads that are beyond doubt.
        weights : ndarray, shape (n,), optional
            How much each one counts; all alike if left out.

        Returns
        -------
        SizePrior or None
            None for fewer than `FEWEST`.
        """
        if len(diameters_px) < FEWEST:
            return None
        size = np.log(diameters_px)
        middle = _median(size, weights)
        # 1.4826: of a normal law, the standard deviation over the median absolute deviation.
        spread = 1.4826 * _median(np.abs(size - middle), weights)
        return cls(math.exp(middle), spread)

    def deviation(self, diameter_px: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how many spreads diameters lie above the median, below 0 for smaller ones; shape (n,)."""
        return np.asarray(np.log(diameter_px / self.diameter_px) / max(self.spread, LEAST_SPREAD))

    def oddness(self, area_px: int) -> float:
        """Return minus the logarithm of how usual an area is: 0 for the median, at most `MOST_ODD`."""
        size = math.log(math.sqrt(4 / math.pi * area_px) / self.diameter_px) / max(self.spread, LEAST_SPREAD)
        return min(size * size / 2, MOST_ODD)


def _median(values: NDArray[np.float64], weights: NDArray[np.float64] | None) -> float:
    if weights is None:
        return float(np.median(values))
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
