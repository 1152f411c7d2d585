"""Outlines of the beads of a label image along the edges of their pixels, so that areas agree."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from beadctl import scratch
from beadctl.segmentation.runs import boxes

Point = tuple[int, int]
"""Corner of a pixel, (x, y) in px; (0, 0) is the outer corner of the first pixel."""
Ring = list[Point]
"""Corners of a closed line, each once. With y downwards, what is inside lies to the right of the line."""

# Steps of a walk along an outline.
RIGHT, DOWN, LEFT, UP = range(4)


@dataclass(frozen=True)
class Shape:
    """The pixels of a bead.

    Attributes
    ----------
    label : int
        As in the label image.
    top, left : int
        First row and column of the box around it, px.
    mask : ndarray of bool, shape (h, w)
        Its pixels in the box.
    """

    label: int
    top: int
    left: int
    mask: NDArray[np.bool_]

    def polygons(self) -> list[list[Ring]]:
        """Return the outlines of the parts that hang together by edges: the outer ring, then its holes.

        No ring passes a point twice, so polygons are valid in the sense of OGC Simple Features: a hole that
        touches the outside by a corner is a ring of its own.
        """
        from scipy import ndimage

        pieces, count = ndimage.label(self.mask)
        masks = [self.mask] if count == 1 else [pieces == piece for piece in range(1, count + 1)]
        parts = [_rings(mask, self, joined=False) for mask in masks]
        split = [[simple for ring in rings for simple in _split(ring)] for rings in parts]
        return [sorted(rings, key=lambda ring: area_px(ring) < 0) for rings in split]

    def outer(self) -> list[Ring]:
        """Return the outer ring of each part that hangs together by edges or corners; holes are left out."""
        return [ring for ring in _rings(self.mask, self, joined=True) if area_px(ring) > 0]


def shapes(labels: NDArray[np.uint32], present: NDArray[np.int64]) -> Iterator[Shape]:
    """Yield the pixels of each bead.

    Parameters
    ----------
    labels : ndarray of uint32, shape (H, W)
        Label image.
    present : ndarray of int, shape (N,)
        The labels in it, ascending.

    Examples
    --------
    >>> (shape,) = shapes(np.array([[0, 7, 7], [0, 7, 0]], np.uint32), np.array([7]))
    >>> shape.outer()
    [[(1, 0), (3, 0), (3, 1), (2, 1), (2, 2), (1, 2)]]
    """
    for label, box in scratch.released(zip(present.tolist(), boxes(labels, present), strict=True), labels):
        yield Shape(label, box[0].start, box[1].start, np.asarray(labels[box] == label))


def area_px(ring: Ring) -> float:
    """Return the area inside a ring (Gauss), negative for a hole.

    Examples
    --------
    >>> area_px([(0, 0), (2, 0), (2, 1), (0, 1)])
    2.0
    """
    ends = [*ring[1:], ring[0]]
    return sum(x * below - right * y for (x, y), (right, below) in zip(ring, ends, strict=True)) / 2


def _rings(mask: NDArray[np.bool_], shape: Shape, *, joined: bool) -> list[Ring]:
    """Return all outlines of a mask; where two pixels touch by a corner alone, `joined` crosses over."""
    # Where an edge of pixels begins, by its direction -> where the straight line of such edges ends.
    ahead = _lines(mask)
    turn = 3 if joined else 1
    rings = []
    while ahead[RIGHT]:
        ring: Ring = []
        first = at = next(iter(ahead[RIGHT]))
        way = RIGHT
        while True:
            ring.append((at[0] + shape.left, at[1] + shape.top))
            at = ahead[way].pop(at)
            # At a corner where two lines begin, both turns are open.
            way = (way + turn) % 4 if at in ahead[(way + turn) % 4] else (way - turn) % 4
            if at not in ahead[way]:
                break
        assert at == first
        rings.append(ring)
    return rings


def _lines(mask: NDArray[np.bool_]) -> tuple[dict[Point, Point], ...]:
    """Return the straight lines around a mask in each direction, by their first points."""
    inside = np.zeros((mask.shape[0] + 2, mask.shape[1] + 2), np.int8)
    inside[1:-1, 1:-1] = mask
    # Along an edge below which the mask begins the line goes right, above which it ends left.
    starts, ends, kind = _runs(inside[1:] - inside[:-1])
    across = [((a, y), (b, y), k) for (y, a), (_, b), k in zip(starts, ends, kind, strict=True)]
    starts, ends, kind = _runs((inside[:, 1:] - inside[:, :-1]).T)
    down = [((x, a), (x, b), k) for (x, a), (_, b), k in zip(starts, ends, kind, strict=True)]
    return (
        {a: b for a, b, k in across if k > 0},
        {a: b for a, b, k in down if k < 0},
        {b: a for a, b, k in across if k < 0},
        {b: a for a, b, k in down if k > 0},
    )


def _runs(steps: NDArray[np.int8]) -> tuple[list[Point], list[Point], list[int]]:
    """Return (row, column) of begin and end of the runs of one value that is not 0 in each row, and it."""
    # The first and the last column are 0.
    row, column = np.nonzero(steps[:, 1:] != steps[:, :-1])
    before, after = steps[row, column], steps[row, column + 1]
    begins, ends = after != 0, before != 0
    points = np.column_stack((row, column))
    as_points = [list(map(tuple, points[chosen].tolist())) for chosen in (begins, ends)]
    return as_points[0], as_points[1], after[begins].tolist()


def _split(walk: Ring) -> Iterator[Ring]:
    """Yield the rings of a closed walk that pass no point twice."""
    ring: Ring = []
    places: dict[Point, int] = {}
    for point in walk:
        if point in places:
            place = places[point]
            yield ring[place:]
            for gone in ring[place + 1 :]:
                del places[gone]
            del ring[place:]
        places[point] = len(ring)
        ring.append(point)
    yield ring
