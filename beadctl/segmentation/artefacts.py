"""Artefacts: objects much smaller and much fainter than the beads of their plane.

A grain of noise that a lens or a filter has rounded looks to the network like a small bead. Small beads are
about as bright as large ones, and faint ones, out of focus, are large: small and faint is background.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.segmentation.contrast import contrasts
from beadctl.segmentation.measure import BeadTable
from beadctl.segmentation.size_prior import SizePrior


@dataclass(frozen=True)
class ArtefactLimits:
    """Limits of the artefact rule.

    ============  =====  =======  ================================================================
    name          value  unit     why
    ============  =====  =======  ================================================================
    deviation     -3.0   spreads  an artefact lies this far below the median diameter of the plane
    contrast      0.3    share    and has less than this share of the median contrast
    sample        64     beads    enough to estimate the median contrast
    around_px     4      px       width of the background measured around a bead
    ============  =====  =======  ================================================================
    """

    deviation: float = -3.0
    contrast: float = 0.3
    sample: int = 64
    around_px: int = 4


LIMITS = ArtefactLimits()


def artefacts(labels: NDArray[np.uint32], image: NDArray[Any], table: BeadTable) -> NDArray[np.bool_]:
    """Return which beads are artefacts, bool (n,); none where there are too few beads for a size prior.

    Parameters
    ----------
    labels, image, table
        As for `beadctl.segmentation.contrast.contrasts`.
    """
    found = np.zeros(len(table), bool)
    whole = np.flatnonzero(~table.border)
    # Weighted by area, because artefacts may outnumber the beads.
    prior = SizePrior.of(table.diameter_px[whole], table.area_px[whole].astype(float))
    if prior is None:
        return found
    small = np.flatnonzero(prior.deviation(table.diameter_px) < LIMITS.deviation)
    if not len(small):
        return found
    typical = whole[prior.deviation(table.diameter_px[whole]) >= LIMITS.deviation]
    typical = typical[:: math.ceil(len(typical) / LIMITS.sample)]
    reference = np.abs(contrasts(labels, image, table, typical, around_px=LIMITS.around_px))
    if not np.isnan(reference).all():
        contrast = np.abs(contrasts(labels, image, table, small, around_px=LIMITS.around_px))
        found[small] = contrast < LIMITS.contrast * np.nanmedian(reference)
    return found
