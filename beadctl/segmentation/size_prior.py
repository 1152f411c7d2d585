"""The size prior: the distribution of bead diameters in a plane, by which doubtful beads are judged."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Fewer beads give no prior.
FEWEST = 6
# Least relative spread: outlines of a few pixels are not measured more precisely.
LEAST_SPREAD = 0.12
# Cap of `SizePrior.oddness`: beyond it a bead belongs to another kind, however far it is off.
MOST_ODD = 4.0


@dataclass(frozen=True)
class SizePrior:
    """Log-normal distribution of the diameters of the beads of a plane.

    Attributes
    ----------
    diameter_px, spread : float
        Median, px, and standard deviation of the logarithm, which is about the coefficient of variation.
    """

    diameter_px: float
    spread: float

    @classmethod
    def of(cls, diameters_px: NDArray[np.float64]) -> SizePrior | None:
        """Estimate the prior by the median and the median absolute deviation; None for fewer than 6 beads.

        Parameters
        ----------
        diameters_px : ndarray of float64, shape (n,)
            Diameters of confident beads, px.
        """
        if len(diameters_px) < FEWEST:
            return None
        size = np.log(diameters_px)
        middle = float(np.median(size))
        # 1.4826 is the standard deviation over the median absolute deviation of a normal distribution.
        spread = 1.4826 * float(np.median(np.abs(size - middle)))
        return cls(math.exp(middle), spread)

    def oddness(self, area_px: int) -> float:
        """Return minus the log-likelihood of an area relative to the median: 0 there, at most 4."""
        size = math.log(math.sqrt(4 / math.pi * area_px) / self.diameter_px) / max(self.spread, LEAST_SPREAD)
        return min(size * size / 2, MOST_ODD)
