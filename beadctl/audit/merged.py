"""Marks that hold several beads, told by their shape."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import regionprops

from beadctl.audit.edges import Outlines


def merged(labels: NDArray[np.uint32], outline: Outlines) -> int:
    """Count the marks that hold more than one bead by their shape.

    Of a disc, the largest circle inside fills all; of two discs that touch, a half. A mark counts as merged
    when the circle fills less than 0.72 of it, it is larger than 1.2 times the median and it is waisted: less
    than 0.92 of its convex hull, what other marks take of that aside: a sphere behind another has no waist.
    """
    if not outline.beads:
        return 0
    typical = float(np.median(outline.area_px))
    large = outline.area_px > 1.2 * typical
    if not large.any():
        return 0
    numbers = np.unique(labels[labels > 0])
    wanted = np.isin(labels, numbers[large])
    count = 0
    for region in regionprops(np.where(wanted, labels, 0).astype(np.int64)):  # type: ignore[no-untyped-call]
        if region.area < 24:
            continue
        inner = float(ndimage.distance_transform_edt(np.pad(region.image, 1)).max())
        if np.pi * inner**2 >= 0.72 * region.area:
            continue
        others = labels[region.slice][region.image_convex & ~region.image] > 0
        count += region.area < 0.92 * (region.area_convex - int(others.sum()))
    return count
