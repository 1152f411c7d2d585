"""Artefacts: objects that are fainter than the beads of their plane and give far less light.

A grain of noise that a lens or a filter has rounded looks to the network like a small bead. Small beads are
about as bright as large ones, and faint ones, out of focus, are large: small and faint is background.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.segmentation.bead_table import BeadTable
from beadctl.segmentation.contrast import contrasts
from beadctl.segmentation.size_prior import FEWEST


@dataclass(frozen=True)
class ArtefactLimits:
    """Limits of the artefact rule.

    ============  =====  =======  ================================================================
    name          value  unit     why
    ============  =====  =======  ================================================================
    contrast      0.3    share    an artefact has less than this share of the typical contrast
    light         0.1    share    and less than this share of the typical contrast times area
    typical       0.5    share    least area of typical beads over that in which half of all lies
    sample        64     beads    enough to estimate the typical contrast
    around_px     4      px       width of the background measured around a bead
    ============  =====  =======  ================================================================
    """

    contrast: float = 0.3
    light: float = 0.1
    typical: float = 0.5
    sample: int = 64
    around_px: int = 4


LIMITS = ArtefactLimits()


def artefacts(labels: NDArray[np.uint32], image: NDArray[Any], table: BeadTable) -> NDArray[np.bool_]:
    """Return which beads are artefacts, bool (n,); none among fewer than 6 whole beads.

    Parameters
    ----------
    labels, image, table
        As for `beadctl.segmentation.contrast.contrasts`.
    """
    found = np.zeros(len(table), bool)
    whole = np.flatnonzero(~table.border)
    if len(whole) < FEWEST:
        return found
    area_px = table.area_px
    typical_px = _typical_px(area_px[whole])
    typical = whole[area_px[whole] >= LIMITS.typical * typical_px]
    small = np.flatnonzero(area_px < LIMITS.typical * typical_px)
    if not len(small):
        return found
    typical = typical[:: math.ceil(len(typical) / LIMITS.sample)]
    reference = np.abs(contrasts(labels, image, table, typical, around_px=LIMITS.around_px))
    if not np.isnan(reference).all():
        usual = np.nanmedian(reference)
        contrast = np.abs(contrasts(labels, image, table, small, around_px=LIMITS.around_px))
        faint = contrast < LIMITS.contrast * usual
        # In a plane without contrast none is fainter than another.
        found[small] = faint & (contrast * area_px[small] < LIMITS.light * typical_px * usual)
    return found


def _typical_px(area_px: NDArray[np.int64]) -> int:
    """Return the area up to which half of all area lies: artefacts may outnumber the beads."""
    ordered = np.sort(area_px)
    total = np.cumsum(ordered)
    return int(ordered[np.searchsorted(total, total[-1] / 2)])
