"""Beads so close that no outline and no gap tells them apart: counted by what they weigh.

Where all beads of a plane are of one kind, a patch as large and as dark as three of them is three. Its light,
or the light it takes, is the sum of theirs: fluorescence adds up, and so does the optical density of beads
that absorb. So a patch that outweighs every single bead, and does not look like a larger one, is divided into
as many parts as it weighs beads. Where the beads' sizes or weights differ, nobody could tell, and nothing is
done.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree
from skimage.segmentation import watershed

from beadctl.segmentation.contrast import contrasts, weights
from beadctl.segmentation.measure import BeadTable
from beadctl.segmentation.size_prior import FEWEST, SizePrior

# Beads of one kind: their diameters, and what they weigh, spread by no more than this (of the logarithm): two
# beads then weigh twice the spread more than the one and a half at which they are told from one.
LIKE_SIZES, LIKE_WEIGHTS = 0.1, 0.2
# Single beads from which that is told have at least this confidence, and so many of them are enough.
SURE, ENOUGH = 0.8, 256
# Weights are not known better than this.
LEAST_SPREAD = 0.12
# A pile is this much larger than a bead, has more contrast,
LARGER, DARKER = 1.2, 1.1
# weighs more than a bead by so many spreads, and by this factor,
HEAVIER, WEIGHS = 2.5, 1.5
# and is no larger bead: longer than wide by this much, or its area is less than this share of its ellipse's.
LONG, FILLED = 1.15, 0.93
# Beads may lie over one another, but seldom more than two at a place.
LAYERS = 2.0
# Of a bead's diameter, how far its blurred edge reaches beyond its outline.
RIM = 0.25
# Of k-means, from places in raster order: enough for them to spread evenly.
ROUNDS = 20


def declumped(
    labels: NDArray[np.uint32], image: NDArray[Any], table: BeadTable
) -> tuple[NDArray[np.uint32], list[int]]:
    """Divide what weighs several beads into so many parts.

    Parameters
    ----------
    labels : ndarray of uint32, shape (H, W)
        Label image with the beads 1..n; not changed.
    image : ndarray, shape (H, W)
        The plane, in its own units.
    table : BeadTable
        The measurements of its beads.

    Returns
    -------
    tuple
        The label image, in which the first part of a pile keeps its number and the others have new ones after
        all there were; and the numbers of the parts. `labels` itself and no number where nothing was divided.
    """
    ellipse = np.pi / 4 * table.major_axis_px * table.minor_axis_px
    shapely = (table.major_axis_px < LONG * table.minor_axis_px) & (table.area_px > FILLED * ellipse)
    alone = np.flatnonzero((table.confidence >= SURE) & ~table.clump & ~table.border)
    prior = SizePrior.of(table.diameter_px[alone])
    if prior is None or prior.spread > LIKE_SIZES:
        return labels, []
    usual_px = np.pi / 4 * prior.diameter_px**2
    large = np.flatnonzero(table.area_px > LARGER * usual_px)
    if not len(large):
        return labels, []
    alone = alone[:: math.ceil(len(alone) / ENOUGH)]
    around_px = math.ceil(prior.diameter_px)
    dark = bool(np.nanmedian(contrasts(labels, image, table, alone, around_px=around_px)) < 0)
    weighed = partial(
        weights,
        labels,
        image,
        table,
        around_px=around_px,
        rim_px=math.ceil(RIM * prior.diameter_px),
        dark=dark,
    )
    single = weighed(alone)
    single = single[(single > 0).all(axis=1)]
    if len(single) < FEWEST:
        return labels, []
    usual, usual_contrast = np.median(single, axis=0)
    spread = 1.4826 * float(np.median(np.abs(np.log(single[:, 0] / usual))))
    if spread > LIKE_WEIGHTS:
        return labels, []
    weight, contrast = weighed(large).T
    # Through a larger bead of the same matter the light's way is longer, as is its diameter.
    thicker = np.where(shapely, table.diameter_px / prior.diameter_px, 1.0)[large]
    beads = np.where(contrast > DARKER * thicker * usual_contrast, weight / usual, 0)
    beads[beads < max(WEIGHS, math.exp(HEAVIER * max(spread, LEAST_SPREAD)))] = 1
    parts = np.rint(np.minimum(beads, LAYERS * table.area_px[large] / usual_px)).astype(int)
    return _cut(labels, table.label[large][parts > 1], parts[parts > 1])


def _cut(
    labels: NDArray[np.uint32], chosen: NDArray[np.int64], parts: NDArray[np.intp]
) -> tuple[NDArray[np.uint32], list[int]]:
    result = labels.copy() if len(chosen) else labels
    boxes = ndimage.find_objects(labels) if len(chosen) else []
    last, numbers = int(labels.max()), []
    for label, count in zip(chosen.tolist(), parts.tolist(), strict=True):
        box = boxes[label - 1]
        inside = labels[box] == label
        pieces = _pieces(inside, count)[inside]
        result[box][inside] = np.where(pieces == 0, label, last + pieces)
        new = int(pieces.max())
        numbers += [label, *range(last + 1, last + new + 1)]
        last += new
    return result, numbers


def _pieces(inside: NDArray[np.bool_], count: int) -> NDArray[np.intp]:
    """Cut a patch into connected pieces of about one size, numbered from 0: k-means, then a watershed."""
    pixels = np.argwhere(inside).astype(np.float64)
    middles = _middles(pixels, count)
    relief, markers = np.zeros(inside.shape), np.zeros(inside.shape, np.int32)
    relief[inside], _ = KDTree(middles).query(pixels)
    # Two middles may have one nearest pixel: then they are one piece.
    for number, nearest in enumerate(np.unique(KDTree(pixels).query(middles)[1]), start=1):
        markers[tuple(pixels[nearest].astype(np.intp))] = number
    flooded = watershed(relief, markers, mask=inside, connectivity=2)  # type: ignore[no-untyped-call]
    return np.asarray(flooded - 1, np.intp)


def _middles(pixels: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Place `count` middles evenly among (n, 2) pixels in raster order: Lloyd's k-means."""
    middles = pixels[np.linspace(0, len(pixels) - 1, count).astype(np.intp)]
    for _ in range(ROUNDS):
        owner = KDTree(middles).query(pixels)[1]
        number = np.bincount(owner, minlength=count)[:, None]
        sums = np.stack([np.bincount(owner, axis, count) for axis in pixels.T], axis=1)
        middles = np.where(number > 0, sums / np.maximum(number, 1), middles)
    return middles
