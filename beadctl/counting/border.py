"""What beads that the border of an image cuts add to the density."""

import math

# Overstatement of the density from which it matters: that of 5 px beads in images of 200 px.
LEAST = 0.05


def overstatement(beads: int, cut: int) -> float:
    """Return by which share a count of all visible beads overstates their density.

    At random places, a border of length L cuts L d / 2 beads of diameter d and density 1 with their centre
    inside the image, and as many with their centre outside; the latter belong to the field beside it
    (Gundersen, Notes on the estimation of the numerical density of arbitrary profiles: the edge effect,
    Journal of Microscopy 111 (1977), 219-223). The corners of the image are neglected.

    Parameters
    ----------
    beads, cut : int
        All beads, and those that the border cuts.

    Examples
    --------
    >>> round(overstatement(140, 36), 3)
    0.148
    """
    outside = cut / 2
    return outside / (beads - outside) if beads else 0.0


def matters(beads: int, cut: int) -> bool:
    """Return whether the overstatement is 5 % or more, and above the Poisson error of the count."""
    return overstatement(beads, cut) >= LEAST and cut / 2 > math.sqrt(beads)
