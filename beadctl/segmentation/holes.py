"""Holes: background that one bead encloses, of a ring or a bead with a dark middle."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from beadctl import scratch
from beadctl.segmentation.pieces import Pieces, pieces_of
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
    parts: list[_BandPieces] = []
    ties = [np.empty((2, 0), np.intp)]
    above = np.zeros(labels.shape[1], np.intp)
    for rows in scratch.bands(*labels.shape):
        # 4-connected, the dual of the 8-connected foreground: a closed outline may have corners.
        background = labels[rows] == 0
        pieces = pieces_of(background, diagonal=False)
        ends = _first_and_last_row(pieces, background.shape)
        top, bottom = (np.where(side > 0, side + (last - 1), 0) for side in ends)
        ties.append(np.stack((above, top))[:, (above > 0) & (top > 0)] - numbered)
        above = bottom
        is_open = _open(pieces, rows, labels.shape)
        closed = pieces.only(~is_open[pieces.piece - 1])
        pixels, piece = closed.pixels + rows.start * labels.shape[1], closed.of_pixels - 1
        parts.append(_measured(labels, instance_of, pixels, piece, is_open, probability, marker))
        labels.ravel()[pixels] = piece + last
        last += pieces.count
        scratch.release(labels, probability, *(() if marker is None else (marker,)))
    return _joined(parts, np.concatenate(ties, axis=1), numbered, area_px)


@dataclass(frozen=True)
class _BandPieces:
    """Pieces of the background of a band; lowest and highest are the numbers of the instances around each."""

    is_open: NDArray[np.bool_]
    area_px: Flat
    light: NDArray[np.float64]
    height: Flat
    lowest: Flat
    highest: Flat


def _first_and_last_row(pieces: Pieces, shape: tuple[int, ...]) -> tuple[Flat, Flat]:
    """Return the pieces of the pixels of the first and of the last row of a band, 0 for none."""
    ends = np.zeros((2, shape[1]), np.intp)
    for line, row in zip(ends, (0, shape[0] - 1), strict=True):
        some = pieces.only(pieces.first // shape[1] == row)
        line[some.pixels % shape[1]] = some.of_pixels
    return ends[0], ends[1]


def _open(pieces: Pieces, rows: slice, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which pieces of a band of a plane of this shape reach its edge, (count,)."""
    row, column = np.divmod(pieces.first, shape[1])
    row += rows.start
    at_edge = (row == 0) | (row == shape[0] - 1) | (column == 0) | (column + pieces.length == shape[1])
    is_open = np.zeros(pieces.count, bool)
    is_open[pieces.piece[at_edge] - 1] = True
    return is_open


def _measured(
    labels: NDArray[np.uint32],
    instance_of: Flat,
    pixels: Flat,
    piece: Flat,
    is_open: NDArray[np.bool_],
    probability: NDArray[np.uint8],
    marker: NDArray[np.uint8] | None,
) -> _BandPieces:
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
    return _BandPieces(
        is_open,
        np.bincount(piece, minlength=count),
        np.bincount(piece, probability.ravel()[pixels], count).astype(np.float64),
        height.astype(np.intp),
        lowest,
        highest,
    )


def _joined(parts: list[_BandPieces], ties: Flat, numbered: int, area_px: Flat) -> Holes:
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
