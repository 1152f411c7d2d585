"""Clumps that were not divided: how many beads more they may hold than were counted."""

from dataclasses import dataclass

import numpy as np

from beadctl.segmentation.bead_table import BeadTable


@dataclass(frozen=True)
class ClumpRule:
    """What looks like a clump among beads of one size.

    ===========  =====  =======  ====================================================================
    name         value  unit     why
    ===========  =====  =======  ====================================================================
    area         1.5    median   nearer to two beads than to one
    circularity  0.8    ratio    two discs that touch have about 0.5, three less; a large bead is round
    spread       0.2    ratio    largest interquartile range of the diameters of round ones, over their median
    fewest       5      beads    of fewer round ones the usual size is unknown
    ===========  =====  =======  ====================================================================
    """

    area: float = 1.5
    circularity: float = 0.8
    spread: float = 0.2
    fewest: int = 5


RULE = ClumpRule()


def unresolved_beads(table: BeadTable) -> int | None:
    """Return how many beads more than counted objects may hold that look like clumps; None: unknown.

    Where round objects have one size, one that is larger and not round is taken for a clump of beads that lie
    side by side: of as many as its area is median areas of the round ones, rounded.

    Parameters
    ----------
    table : BeadTable
        Counted beads of a plane.

    Examples
    --------
    >>> from beadctl.segmentation.measure import measure
    >>> labels, (y, x) = np.zeros((60, 200), np.uint32), np.indices((60, 200))
    >>> for number, centre in enumerate((20, 50, 80, 110, 140, 170, 181)):
    ...     labels[np.hypot(y - 30, x - centre) < 6] = min(number, 5) + 1
    >>> len(measure(labels)), unresolved_beads(measure(labels))
    (6, 1)
    """
    is_round = table.roundness >= RULE.circularity
    if is_round.sum() < RULE.fewest:
        return None
    low, median, high = np.percentile(table.diameter_px[is_round], [25, 50, 75])
    if high - low > RULE.spread * median:
        return None
    beads = table.area_px[~is_round] / np.median(table.area_px[is_round])
    return int((np.rint(beads[beads >= RULE.area]) - 1).sum())
