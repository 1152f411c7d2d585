"""Outlines at half of a bead's own contrast, for beads whose contrast the network sees clipped.

The range that the network is shown is that of nearly all pixels. A few beads in a large field are no part of
it: they are cut off at its end, their blurred edges too, and are outlined too large.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from beadctl import scratch
from beadctl.images import Normalisation
from beadctl.images.normalisation import LIMITS
from beadctl.segmentation.runs import boxes
from beadctl.segmentation.watershed import EIGHT

# Share of a bead's pixels that are clipped, from which it is outlined again.
MOSTLY = 0.5
# Share of a bead's pixels below its contrast.
TOP = 0.9
# The background is what lies so far from the outline, within so much around the bead's box, px.
AWAY_PX, MARGIN_PX = 3, 6


def at_half_contrast(
    labels: NDArray[np.uint32], image: NDArray[np.generic], normalisation: Normalisation
) -> NDArray[np.uint32]:
    """Return the labels with the outlines of clipped beads drawn in to half of their contrast.

    Parameters
    ----------
    labels : ndarray of uint32, shape (H, W)
        Label image; not changed.
    image : ndarray, shape (H, W)
        The plane, in its own units.
    normalisation : Normalisation
        By which the network was shown it.

    Examples
    --------
    >>> image = np.zeros((20, 20))
    >>> image[8:13, 8:13] = [1, 9, 9, 9, 1]
    >>> labels = (image > 0).astype(np.uint32)
    >>> int(at_half_contrast(labels, image, Normalisation(0.0, 0.1)).sum())
    15
    """
    clipped_px = _counted(_clipped(labels, image, normalisation))
    if not clipped_px.any():
        return labels
    areas_px = _counted(_all(labels))
    chosen = np.flatnonzero(clipped_px[1:] > MOSTLY * areas_px[1 : clipped_px.size]) + 1
    if not chosen.size:
        return labels
    result = scratch.copied(labels)
    places = zip(chosen, boxes(labels, chosen), strict=True)
    for label, place in scratch.released(places, labels, image, result):
        window = tuple(slice(max(0, one.start - MARGIN_PX), one.stop + MARGIN_PX) for one in place)
        part = labels[window]
        result[window][(part == label) & ~_above_half(part, image[window], label)] = 0
    return result


def _clipped(
    labels: NDArray[np.uint32], image: NDArray[np.generic], normalisation: Normalisation
) -> Iterator[NDArray[np.uint32]]:
    """Yield the labels of clipped pixels, band by band; a pixel without a value is none."""
    for rows in scratch.bands(*labels.shape):
        part = labels[rows]
        is_bead = part > 0
        values = image[rows][is_bead]
        is_clipped = np.isfinite(values) & (np.abs(normalisation.scaled(values)) > LIMITS.clip)
        yield part[is_bead][is_clipped]
        scratch.release(labels, image)


def _all(labels: NDArray[np.uint32]) -> Iterator[NDArray[np.uint32]]:
    """Yield the labels of all pixels, band by band."""
    for rows in scratch.bands(*labels.shape):
        yield labels[rows].ravel()
        scratch.release(labels)


def _counted(parts: Iterable[NDArray[np.uint32]]) -> NDArray[np.intp]:
    """Return the number of pixels of each label, from 0."""
    total = np.zeros(1, np.intp)
    for part in parts:
        counts = np.bincount(part, minlength=total.size)
        counts[: total.size] += total
        total = counts
    return total


def _above_half(part: NDArray[np.uint32], image: NDArray[np.generic], label: np.intp) -> NDArray[np.bool_]:
    """Return the largest piece of a bead above half of its contrast, holes filled; all of it if unknown."""
    bead = np.asarray(part == label, bool)
    near = ndimage.binary_dilation(bead, EIGHT, iterations=AWAY_PX)
    known = np.isfinite(image)
    background = image[~near & (part == 0) & known]
    if not background.size:
        return bead
    signal = np.where(known, image.astype(np.float64), np.nan) - np.median(background)
    if np.nanmedian(signal[bead]) < 0:
        signal = -signal
    # An outline that is too large holds edge pixels, so the median lies below the top of the bead.
    # Pixels without a value belong to the bead: a bad column does not cut it.
    pieces, count = ndimage.label(bead & ~(signal < np.nanquantile(signal[bead], TOP) / 2), EIGHT)
    if not count:
        return bead
    largest = pieces == np.bincount(pieces.ravel())[1:].argmax() + 1
    return np.asarray(ndimage.binary_fill_holes(largest), bool)
