"""The size prior: the bead diameters of a plane, found or stated, by which doubtful beads are judged."""

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
class StatedLimits:
    """What a stated diameter says of the beads of a plane.

    ======  =====  =====  ===============================================================================
    name    value  unit   why
    ======  =====  =====  ===============================================================================
    spread  0.5    log    beads differ, and a diameter stated by eye is off by up to a third
    least   0.3    share  least diameter of a whole bead; less is a speck in a bead. One of half the
                          true diameter is kept even where the stated one is half as much again
    gain    0.2    share  by which the confidence of a bead of the stated size is raised
    ======  =====  =====  ===============================================================================
    """

    spread: float = 0.5
    least: float = 0.3
    gain: float = 0.2


STATED = StatedLimits()


@dataclass(frozen=True)
class SizePrior:
    """Log-normal distribution of the diameters of the beads of a plane.

    Attributes
    ----------
    diameter_px, spread : float
        Median, px, and standard deviation of the logarithm, which is about the coefficient of variation.
    least_area_px : float
        Least area of a whole bead, px.
    """

    diameter_px: float
    spread: float
    least_area_px: float = 0.0

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

    @classmethod
    def stated(cls, diameter_px: float, asked_px: float | None = None) -> SizePrior:
        """Return the prior of a stated diameter; a smaller least area that is asked for holds instead."""
        least_px = math.pi / 4 * (STATED.least * diameter_px) ** 2
        return cls(diameter_px, STATED.spread, min(least_px, asked_px or least_px))

    def raised(self, confidence: NDArray[np.float64], area_px: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return confidences, 0..1, raised by a fifth for objects of the median area, less for others.

        Examples
        --------
        >>> prior = SizePrior.stated(20.0)
        >>> prior.raised(np.array([0.4, 0.4, 0.8]), np.array([314, 10, 314])).round(2).tolist()
        [0.48, 0.4, 0.96]
        """
        size = np.log(np.sqrt(4 / np.pi * np.maximum(area_px, 1)) / self.diameter_px) / self.spread
        return np.asarray(np.minimum(1.0, confidence * (1 + STATED.gain * np.exp(-size * size / 2))))

    def oddness(self, area_px: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return minus the log-likelihood of areas relative to the median: 0 there, at most 4."""
        diameter = np.sqrt(4 / np.pi * np.maximum(area_px, 1)) / self.diameter_px
        size = np.log(diameter) / max(self.spread, LEAST_SPREAD)
        return np.asarray(np.minimum(size * size / 2, MOST_ODD))
