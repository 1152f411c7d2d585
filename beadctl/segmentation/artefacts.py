"""What is too small and too faint, beside the beads of its plane, to be one of them.

The network sees a bead's surroundings, not the plane: a grain of noise that a lens or a filter has rounded
looks to it like a small bead. Beside others it does not. Small beads are as bright as large ones or nearly
so, and faint ones, out of focus, are large; what is both much smaller and much fainter is background.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.segmentation.contrast import contrasts
from beadctl.segmentation.measure import BeadTable
from beadctl.segmentation.size_prior import SizePrior

# So many spreads of the prior below its median diameter,
SMALL = -3.0
# and with so little of the typical contrast.
FAINT = 0.3
# So many beads are enough to tell what contrast is typical.
ENOUGH = 64
# Width of the surroundings that a bead is held against, px.
AROUND_PX = 4


def artefacts(labels: NDArray[np.uint32], image: NDArray[Any], table: BeadTable) -> NDArray[np.bool_]:
    """Tell which beads are none.

    Parameters
    ----------
    labels : ndarray of uint32, shape (H, W)
        Label image.
    image : ndarray, shape (H, W)
        The plane, in its own units.
    table : BeadTable
        The measurements of its n beads.

    Returns
    -------
    ndarray of bool, shape (n,)
        All False where there are too few beads to tell what is usual.
    """
    none = np.zeros(len(table), bool)
    whole = np.flatnonzero(~table.border)
    # By area: specks may well be more than the beads.
    prior = SizePrior.of(table.diameter_px[whole], table.area_px[whole].astype(float))
    if prior is None:
        return none
    small = np.flatnonzero(prior.deviation(table.diameter_px) < SMALL)
    if not len(small):
        return none
    usual_size = whole[prior.deviation(table.diameter_px[whole]) >= SMALL]
    some = usual_size[:: math.ceil(len(usual_size) / ENOUGH)]
    usual = np.abs(contrasts(labels, image, table, some, around_px=AROUND_PX))
    if not np.isnan(usual).all():
        seen = np.abs(contrasts(labels, image, table, small, around_px=AROUND_PX))
        none[small] = seen < FAINT * np.nanmedian(usual)
    return none


def without(labels: NDArray[np.uint32], gone: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """Return labels 1..n without those that are gone, shape (n,), the others moved up."""
    numbers = np.append(0, np.where(gone, 0, np.cumsum(~gone))).astype(np.uint32)
    return numbers[labels]
