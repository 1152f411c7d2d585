"""Declumping by integrated signal: clumps without gaps are divided into as many beads as their signal holds.

Fluorescence and optical density add up where beads overlap. Where all beads of a plane are of one kind, a
clump with the signal of three beads, and not the shape of one larger bead, is three. Else none is divided.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree
from skimage.segmentation import watershed

from beadctl import scratch
from beadctl.segmentation.bead_table import BeadTable
from beadctl.segmentation.contrast import contrasts, integrated
from beadctl.segmentation.runs import boxes
from beadctl.segmentation.size_prior import FEWEST, SizePrior


@dataclass(frozen=True)
class DeclumpLimits:
    """Limits of declumping.

    ==================  =====  =======  ====================================================================
    name                value  unit     why
    ==================  =====  =======  ====================================================================
    confidence          0.85   0..1     single beads that serve as reference have at least this
    sample              256    beads    enough of them to estimate the reference
    size_spread         0.07   log      largest spread of their diameters: beads of one kind
    signal_spread       0.2    log      largest spread of their signals: two beads then differ from one
    least_spread        0.12   log      signals are not measured more precisely than this
    area                1.2    factor   a clump is so much larger than a single bead
    contrast            1.1    factor   has so much more contrast
    brightest           3.0    factor   and no more than this: else it is another kind of object
    spreads             2.5    spreads  has so much more signal, in spreads of the single beads' signal
    signal              1.5    factor   and at least so much more signal
    aspect              1.15   ratio    a bead of another size is at most so much longer than wide
    solidity            0.93   0..1     and its area is at least this share of its ellipse's
    layers              2.0    beads    beads that may lie over one another at one place
    rim                 0.25   share    of a diameter: reach of the blurred edge beyond the outline
    rounds              20     count    rounds of k-means, enough to spread the parts evenly
    ==================  =====  =======  ====================================================================
    """

    confidence: float = 0.85
    sample: int = 256
    size_spread: float = 0.07
    signal_spread: float = 0.2
    least_spread: float = 0.12
    area: float = 1.2
    contrast: float = 1.1
    brightest: float = 3.0
    spreads: float = 2.5
    signal: float = 1.5
    aspect: float = 1.15
    solidity: float = 0.93
    layers: float = 2.0
    rim: float = 0.25
    rounds: int = 20


LIMITS = DeclumpLimits()


def declumped(
    labels: NDArray[np.uint32], image: NDArray[Any], table: BeadTable
) -> tuple[NDArray[np.uint32], list[int]]:
    """Divide objects that hold the signal of several beads; return the label image and the parts' numbers.

    The first part of a clump keeps its number, and the others get new ones above n. Where nothing is divided,
    the label image is `labels` itself.

    Parameters
    ----------
    labels, image, table
        As for `beadctl.segmentation.contrast.contrasts`; the beads are labelled 1..n.
    """
    ellipse = np.pi / 4 * table.major_axis_px * table.minor_axis_px
    elliptic = (table.major_axis_px < LIMITS.aspect * table.minor_axis_px) & (
        table.area_px > LIMITS.solidity * ellipse
    )
    single = np.flatnonzero((table.confidence >= LIMITS.confidence) & ~table.clump & ~table.border)
    prior = SizePrior.of(table.diameter_px[single])
    if prior is None or prior.spread > LIMITS.size_spread:
        return labels, []
    bead_px = np.pi / 4 * prior.diameter_px**2
    large = np.flatnonzero(table.area_px > LIMITS.area * bead_px)
    if not len(large):
        return labels, []
    single = single[:: math.ceil(len(single) / LIMITS.sample)]
    around_px = math.ceil(prior.diameter_px)
    dark = bool(np.nanmedian(contrasts(labels, image, table, single, around_px=around_px)) < 0)
    rim_px = math.ceil(LIMITS.rim * prior.diameter_px)
    signal_of = partial(integrated, labels, image, table, around_px=around_px, rim_px=rim_px, dark=dark)
    reference = signal_of(single)
    reference = reference[(reference > 0).all(axis=1)]
    if len(reference) < FEWEST:
        return labels, []
    bead_signal, bead_contrast = np.median(reference, axis=0)
    spread = 1.4826 * float(np.median(np.abs(np.log(reference[:, 0] / bead_signal))))
    if spread > LIMITS.signal_spread:
        return labels, []
    signal, contrast = signal_of(large).T
    # The path of light through a larger bead is longer in proportion to its diameter.
    thicker = np.where(elliptic, table.diameter_px / prior.diameter_px, 1.0)[large]
    denser = contrast / (thicker * bead_contrast)
    piled = (denser > LIMITS.contrast) & (denser <= LIMITS.brightest)
    beads = np.where(piled, signal / bead_signal, 0)
    least = max(LIMITS.signal, math.exp(LIMITS.spreads * max(spread, LIMITS.least_spread)))
    beads[beads < least] = 1
    parts = np.rint(np.minimum(beads, LIMITS.layers * table.area_px[large] / bead_px)).astype(int)
    return _cut(labels, table.label[large][parts > 1], parts[parts > 1], int(table.label[-1]))


def _cut(
    labels: NDArray[np.uint32], chosen: NDArray[np.int64], parts: NDArray[np.intp], last: int
) -> tuple[NDArray[np.uint32], list[int]]:
    """Cut each chosen label into its number of parts; `last` is the highest label."""
    if not len(chosen):
        return labels, []
    result, numbers = scratch.copied(labels), []
    clumps = zip(chosen.tolist(), parts.tolist(), boxes(labels, chosen), strict=True)
    for label, count, box in scratch.released(clumps, labels, result):
        inside = labels[box] == label
        pieces = _pieces(inside, count)[inside]
        result[box][inside] = np.where(pieces == 0, label, last + pieces)
        new = int(pieces.max())
        numbers += [label, *range(last + 1, last + new + 1)]
        last += new
    return result, numbers


def _pieces(inside: NDArray[np.bool_], count: int) -> NDArray[np.intp]:
    """Cut a mask into connected pieces of about one size, numbered from 0: k-means, then a watershed."""
    pixels = np.argwhere(inside).astype(np.float64)
    middles = _middles(pixels, count)
    relief, markers = np.zeros(inside.shape), np.zeros(inside.shape, np.int32)
    relief[inside], _ = KDTree(middles).query(pixels)
    # Two middles with one nearest pixel give one piece.
    for number, nearest in enumerate(np.unique(KDTree(pixels).query(middles)[1]), start=1):
        markers[tuple(pixels[nearest].astype(np.intp))] = number
    flooded = watershed(relief, markers, mask=inside, connectivity=2)  # type: ignore[no-untyped-call]
    return np.asarray(flooded - 1, np.intp)


def _middles(pixels: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Place `count` middles evenly among (n, 2) pixels in raster order: Lloyd's k-means."""
    middles = pixels[np.linspace(0, len(pixels) - 1, count).astype(np.intp)]
    for _ in range(LIMITS.rounds):
        owner = KDTree(middles).query(pixels)[1]
        number = np.bincount(owner, minlength=count)[:, None]
        sums = np.stack([np.bincount(owner, axis, count) for axis in pixels.T], axis=1)
        middles = np.where(number > 0, sums / np.maximum(number, 1), middles)
    return middles
