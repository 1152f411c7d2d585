"""From the mean count of a field to beads per millilitre of the stock."""

import math
from dataclasses import dataclass

from scipy import special

from beadctl.counting.interval import CONFIDENCE, Interval
from beadctl.counting.measured import Measured

UM3_PER_ML = 1e12


@dataclass(frozen=True)
class Concentration:
    """Beads per millilitre of the undiluted stock, and its 95 % interval."""

    beads_per_ml: float
    interval: Interval


def concentration(
    mean_count: float, interval: Interval, area_um2: float, depth_um: Measured, dilution: Measured
) -> Concentration:
    """Return the concentration of the stock from the mean count of its fields.

    It is ``c = 1e12 count dilution / (area depth)``. Its interval has the parts of count, depth and dilution
    added in quadrature on each side of c, ``sqrt(d**2 + (1.96 u c)**2)``: d is the distance of that end of
    the count's interval, in beads per mL, and u**2 the sum of the squared relative standard deviations of
    depth and dilution (Zou and Donner, Construction of confidence intervals about effect measures, Statistics
    in Medicine 27 (2008), 1693-1702, for limits that are not symmetric).

    Parameters
    ----------
    mean_count, interval : float and Interval
        Beads in a field, and the 95 % interval of the mean.
    area_um2 : float
        Area of the field.
    depth_um, dilution : Measured
        Depth of the chamber, and the factor by which the stock was diluted, 1 if it was not.

    Examples
    --------
    >>> stock = concentration(50, Interval(45, 55), 1e6, Measured(100, 2), Measured(10))
    >>> f"{stock.beads_per_ml:.3g}", f"{stock.interval.low:.4g}", f"{stock.interval.high:.4g}"
    ('5e+06', '4.463e+06', '5.537e+06')
    """
    per_bead = UM3_PER_ML * dilution.value / (area_um2 * depth_um.value)
    value, low, high = (count * per_bead for count in (mean_count, interval.low, interval.high))
    other = (
        special.ndtri((1 + CONFIDENCE) / 2) * value * math.hypot(depth_um.relative_sd, dilution.relative_sd)
    )
    ends = value - math.hypot(value - low, other), value + math.hypot(high - value, other)
    return Concentration(value, Interval(max(0.0, ends[0]), ends[1]))
