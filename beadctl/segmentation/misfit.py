"""Whether the beads of a plane have another size than the stated diameter, so that some may be left out."""

from dataclasses import dataclass

import numpy as np

from beadctl.segmentation.bead_table import BeadTable
from beadctl.segmentation.instances import Found

DIAMETER_MISFIT = "diameter-misfit"


@dataclass(frozen=True)
class MisfitLimits:
    """Limits of the flag.

    =======  =====  =======  ==========================================================================
    name     value  unit     why
    =======  =====  =======  ==========================================================================
    ratio    1.6    ratio    between the third by which a diameter stated by eye is off, and the two of
                             a radius stated for it
    fewest   3      objects  fewer that were left out may be dirt; with fewer beads, these are looked for
                             in the plane as it is, where it was shrunk
    =======  =====  =======  ==========================================================================
    """

    ratio: float = 1.6
    fewest: int = 3


LIMITS = MisfitLimits()


def misfits(diameter_px: float, found: Found, table: BeadTable, unshrunk: Found | None = None) -> bool:
    """Return whether the objects of a plane do not have the stated diameter.

    They do not where three or more specks, which were left out, have a larger area than the beads; where the
    median diameter of the whole beads differs by a factor above 1.6; or where the stated diameter is
    larger than the plane's shorter edge.

    Parameters
    ----------
    diameter_px : float
        As stated, px.
    found : Found
        The beads by the maps, with the specks that were left out.
    table : BeadTable
        The beads.
    unshrunk : Found, optional
        What was seen of the plane as it is, where it was shrunk for beads of the stated diameter and has few:
        at that scale, much smaller ones cannot be seen.

    Examples
    --------
    >>> from beadctl.segmentation.measure import measure
    >>> labels = np.zeros((40, 40), np.uint32)
    >>> for number, place in enumerate((5, 15, 25), 1):
    ...     labels[place : place + 9, place : place + 9] = number
    >>> beads, found = measure(labels, None), Found(labels)
    >>> [misfits(stated, found, beads) for stated in (5.0, 8.0, 14.0, 20.0)]
    [True, False, False, True]
    >>> misfits(40.0, Found(labels * 0, specks=3, specks_px=243), measure(labels * 0, None))
    True
    """
    whole = table.diameter_px[~table.border]
    if diameter_px > min(found.labels.shape):
        return True
    left_out = max((one for one in (found, unshrunk) if one), key=lambda one: one.specks_px)
    if left_out.specks >= LIMITS.fewest and left_out.specks_px > table.area_px.sum():
        return True
    if len(whole):
        middle = float(np.median(whole))
        return not 1 / LIMITS.ratio <= middle / diameter_px <= LIMITS.ratio
    return False
