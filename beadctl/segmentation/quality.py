"""Doubt: which planes to look at before their counts are used.

Doubt is the probability that a count is off by more than a fifth. The reviewer of the model file estimates
it; without one, it is estimated from how much the count changes with the thresholds.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.model.perceptron import Floats
from beadctl.model.reviewer import Reviewer
from beadctl.segmentation.bead_table import BeadTable
from beadctl.segmentation.causes import causes
from beadctl.segmentation.instances import Found

DOUBTFUL = "doubtful"


@dataclass(frozen=True)
class QualityLimits:
    """Limits of the flag.

    =============  =====  ======  =====================================================================
    name           value  unit    why
    =============  =====  ======  =====================================================================
    doubt          0.2    0..1    planes of this doubt and more are flagged
    fewest         3      beads   a plane of fewer is judged as if it had so many
    =============  =====  ======  =====================================================================
    """

    doubt: float = 0.2
    fewest: int = 3


LIMITS = QualityLimits()


def instability(found: Sequence[Found], count: int, unsure: int = 0) -> float:
    """Return the range of the count over other thresholds, relative to the count, 0 or more.

    Those are the thresholds on the maps, and those of the classifier of objects.

    Parameters
    ----------
    found : sequence of Found
        The beads by the maps, of a plane or of windows of it.
    count : int
        Their number.
    unsure : int
        Number of objects that are beads at some thresholds of the classifier; see `objects.judged`.

    Examples
    --------
    >>> instability([Found(np.zeros((1, 1), np.uint32), fewest=24, most=36)], count=30)
    0.4
    """
    by_maps = sum(one.most - one.fewest for one in found)
    return (by_maps + unsure) / max(count, LIMITS.fewest)


def doubt(features: Floats, reviewer: Reviewer | None, unstable: float) -> float:
    """Return the estimated probability that the count of a plane is off by more than a fifth, 0..1.

    Parameters
    ----------
    features : ndarray of float64, shape (k,)
        What the reviewer is shown of the plane; see `beadctl.segmentation.review.Seen`.
    reviewer : Reviewer or None
        Of the model file. Without one the odds are the `instability`: half of the counts that change by as
        much as themselves are wrong.
    unstable : float
        The `instability`.

    Examples
    --------
    >>> doubt(np.zeros(25), None, 0.5)
    0.3333333333333333
    """
    return reviewer.doubt(features) if reviewer else unstable / (unstable + 1)


def threshold_range(found: Found, count: int, counted: int) -> tuple[int, int]:
    """Return the least and the largest count over other thresholds.

    Only the beads by the maps are known at other thresholds: by as much as there, the finished beads are
    fewer or more, and those in the region and within the filters in proportion.

    Parameters
    ----------
    found : Found
        The beads by the maps.
    count, counted : int
        Number of finished beads, and of these in the region and within the filters.

    Examples
    --------
    >>> threshold_range(Found(np.zeros((1, 1), np.uint32), fewest=24, most=36, count=32), 30, 15)
    (11, 17)
    """
    share = counted / count if count else 1.0
    fewer, more = (found.count - found.fewest) * share, (found.most - found.count) * share
    return max(0, math.floor(counted - fewer)), math.ceil(counted + more)


def flags(
    doubted: float,
    table: BeadTable,
    labels: NDArray[np.uint32],
    image: NDArray[Any],
    *,
    has_larger: bool = False,
    artefacts: int = 0,
) -> tuple[str, ...]:
    """Return the quality flags of a plane: none, or ``doubtful`` and what may be the cause.

    Parameters
    ----------
    doubted : float
        The `doubt` about the plane, 0..1.
    table, labels, image, has_larger, artefacts
        As for `beadctl.segmentation.causes.causes`.
    """
    # Where nothing is counted but larger objects were seen, the beads have nothing to tell.
    if doubted < LIMITS.doubt and (len(table) or not has_larger):
        return ()
    return (DOUBTFUL, *causes(table, labels, image, has_larger=has_larger, artefacts=artefacts))
