"""Doubt: which planes to look at before their counts are used.

A bead's confidence is about the probability that it is one, and so is that of an object that was left out.
Their sums over a plane tell how many beads are expected to be wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from beadctl.segmentation.instances import Found
from beadctl.segmentation.measure import BeadTable


class Quality(StrEnum):
    """What to know of a plane before its count is used."""

    DOUBTFUL = "doubtful"
    DENSE = "dense"
    SMALL_BEADS = "small-beads"


@dataclass(frozen=True)
class QualityLimits:
    """Limits of the flags.

    =============  =====  ======  =====================================================================
    name           value  unit    why
    =============  =====  ======  =====================================================================
    doubt          0.25   share   planes above are flagged
    fewest         3      beads   a plane of fewer is judged as if it had so many
    dense          0.5    share   of a doubtful plane's beads touch others
    small_px       6      px      median diameter below which a doubtful plane's beads are too small
    =============  =====  ======  =====================================================================
    """

    doubt: float = 0.25
    fewest: float = 3.0
    dense: float = 0.5
    small_px: float = 6.0


LIMITS = QualityLimits()


def doubt(found: Sequence[Found], count: int) -> float:
    """Return the expected number of wrong beads over that of all beads, 0..1.

    Parameters
    ----------
    found : sequence of Found
        The beads by the maps, of a plane or of windows of it.
    count : int
        Their number.

    Examples
    --------
    >>> doubt([Found(np.zeros((1, 1), np.uint32), false=6.0, missed=10.0)], count=30)
    0.4
    """
    missed = sum(one.missed for one in found)
    return min(1.0, (sum(one.false for one in found) + missed) / max(count + missed, LIMITS.fewest))


def assess(found: Found, table: BeadTable) -> tuple[float, tuple[Quality, ...]]:
    """Return the `doubt` about a plane, and its flags: none, or ``doubtful`` and what may be the cause."""
    share = doubt([found], len(table))
    if share < LIMITS.doubt:
        return share, ()
    flags = [Quality.DOUBTFUL]
    if len(table) and table.clump.mean() > LIMITS.dense:
        flags.append(Quality.DENSE)
    if len(table) and np.median(table.diameter_px) < LIMITS.small_px:
        flags.append(Quality.SMALL_BEADS)
    return share, tuple(flags)
