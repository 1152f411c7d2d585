"""Holes: background that one bead encloses, of a ring or a bead with a dark middle."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from beadctl import scratch
from beadctl.segmentation.watershed import Flat


@dataclass(frozen=True)
class Holes:
    """Enclosed pieces of the background of a plane; a hole may be of several pieces, one from each band.

    Attributes
    ----------
    numbered : int
        The pieces have the numbers from this one in the label image.
    owner : ndarray of intp, shape (n,)
        The instance that encloses the hole that each piece belongs to, 0 for none.
    area_px, light, height : ndarray of intp, float64 and intp, shape (n,)
        Pixels of each piece; sum of the probability, and largest value of the marker map, 0..255.
    """

    numbered: int
    owner: Flat
    area_px: Flat
    light: NDArray[np.float64]
    height: Flat


def holes_of(
    labels: NDArray[np.uint32],
    instance_of: Flat,
    area_px: Flat,
    probability: NDArray[np.uint8],
    marker: NDArray[np.uint8] | None,
) -> Holes:
    """Find the holes that one instance encloses and that are no larger than it; mark them in `labels`.

    Parameters
    ----------
    labels : ndarray of uint32, shape (H, W)
        Numbers of basins, 0 for background; pieces of the background that may be holes are numbered on.
    instance_of, area_px : ndarray of intp
        The instance of each number, and the pixels of each instance.
    probability, marker
        The maps, 0..255 for 0..1.
    """
    numbered = last = len(instance_of)
    parts: list[_Pieces] = []
    ties = [np.empty((2, 0), np.intp)]
    above = np.zeros(labels.shape[1], np.intp)
    for rows in scratch.bands(*labels.shape):
        # 4-connected, the dual of the 8-connected foreground: a closed outline may have corners.
        pieces, count = ndimage.label(labels[rows] == 0)
        top, bottom = (np.where(side > 0, side + (last - 1), 0) for side in (pieces[0], pieces[-1]))
        ties.append(np.stack((above, top))[:, (above > 0) & (top > 0)] - numbered)
        above = bottom
        is_open = _open(pieces, count, rows, labels.shape[0])
        # Leaving out the background around everything by comparison avoids a look-up for every pixel.
        beside = np.bincount(pieces[pieces[:, 0] > 0, 0], minlength=1)
        pixels = np.flatnonzero((pieces != beside.argmax()) & (pieces > 0))
        piece = pieces.ravel()[pixels].astype(np.intp) - 1
        closed = ~is_open[1:][piece]
        pixels, piece = pixels[closed], piece[closed]
        pixels += rows.start * labels.shape[1]
        parts.append(_measured(labels, instance_of, pixels, piece, is_open[1:], probability, marker))
        labels.ravel()[pixels] = piece + last
        last += count
        scratch.release(labels, probability, *(() if marker is None else (marker,)))
    return _joined(parts, np.concatenate(ties, axis=1), numbered, area_px)


@dataclass(frozen=True)
class _Pieces:
    """Pieces of the background of a band; lowest and highest are the numbers of the instances around each."""

    is_open: NDArray[np.bool_]
    area_px: Flat
    light: NDArray[np.float64]
    height: Flat
    lowest: Flat
    highest: Flat


def _open(
    pieces: NDArray[np.signedinteger[Any]], count: int, rows: slice, height_px: int
) -> NDArray[np.bool_]:
    """Return which pieces of a band reach the edge of the plane, (count + 1,); place 0, no piece, does."""
    is_open = np.zeros(count + 1, bool)
    is_open[0] = True
    is_open[pieces[:, 0]] = is_open[pieces[:, -1]] = True
    if rows.start == 0:
        is_open[pieces[0]] = True
    if rows.stop == height_px:
        is_open[pieces[-1]] = True
    return is_open


def _measured(
    labels: NDArray[np.uint32],
    instance_of: Flat,
    pixels: Flat,
    piece: Flat,
    is_open: NDArray[np.bool_],
    probability: NDArray[np.uint8],
    marker: NDArray[np.uint8] | None,
) -> _Pieces:
    """Measure pieces of the background by their pixels, flat in the plane."""
    count, width_px = len(is_open), labels.shape[1]
    lowest, highest = np.full(count, np.iinfo(np.intp).max), np.zeros(count, np.intp)
    height = np.zeros(count, np.uint8)
    for step in (-width_px, -1, 1, width_px):
        beside = labels.ravel()[pixels + step]
        # Pieces of the band above have numbers too.
        rim = (beside > 0) & (beside < len(instance_of))
        instance = instance_of[beside[rim]]
        np.minimum.at(lowest, piece[rim], instance)
        np.maximum.at(highest, piece[rim], instance)
    if marker is not None:
        np.maximum.at(height, piece, marker.ravel()[pixels])
    return _Pieces(
        is_open,
        np.bincount(piece, minlength=count),
        np.bincount(piece, probability.ravel()[pixels], count).astype(np.float64),
        height.astype(np.intp),
        lowest,
        highest,
    )


def _joined(parts: list[_Pieces], ties: Flat, numbered: int, area_px: Flat) -> Holes:
    """Join the pieces of bands to holes, and decide which are filled."""

    def column(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(part, name) for part in parts])

    is_open = column("is_open")
    size = len(is_open)
    edges = coo_array((np.ones(ties.shape[1], bool), (ties[0], ties[1])), shape=(size, size))
    count, hole = connected_components(edges, directed=False) if ties.size else (size, np.arange(size))
    reaches_edge = np.bincount(hole, is_open, count) > 0
    lowest, highest = np.full(count, np.iinfo(np.intp).max), np.zeros(count, np.intp)
    np.minimum.at(lowest, hole, column("lowest"))
    np.maximum.at(highest, hole, column("highest"))
    filled = ~reaches_edge & (lowest == highest)
    filled &= np.bincount(hole, column("area_px"), count) <= area_px[highest]
    owner = np.where(filled, highest, 0)[hole]
    return Holes(numbered, owner, column("area_px"), column("light"), column("height"))
