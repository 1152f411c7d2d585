"""Rasterisation of outlines.

Coordinates are (y, x) in px with the centre of the first pixel at (0, 0). A pixel belongs to an outline when
its centre lies inside or on the line; of several rings, when it lies inside an odd number of them or on one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ring = NDArray[np.float64]
"""Vertices of a closed line, shape (N, 2), y before x; the last is joined to the first."""

PIXEL_CENTRE = 0.5
"""Centre of the first pixel in formats that count from its corner: subtracted where they are read."""

# Tolerance for the rounding of crossings, so that a pixel centre on the line counts.
ROUNDING_PX = 1e-9


@dataclass(frozen=True)
class Patch:
    """A set of pixels of an image, as a mask over a part of it.

    Attributes
    ----------
    top, left : int
        First row and column of the part.
    mask : ndarray of bool, shape (h, w)
        True for the pixels of the set.
    """

    top: int
    left: int
    mask: NDArray[np.bool_]

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns of the part."""
        height, width = self.mask.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


def filled(rings: Sequence[Ring], shape: tuple[int, int]) -> Patch | None:
    """Return the pixels in or on an outline with holes, by the even-odd rule; None if the image has none.

    Scan conversion: pixels between the first and second, third and fourth, ... crossing of a row are inside.
    `skimage.draw.polygon` loses centres on slanted edges to rounding, and costs pixels times vertices.
    `shape` is the height and width of the image, px.
    """
    starts = np.concatenate(rings)
    ends = np.concatenate([np.roll(ring, -1, axis=0) for ring in rings])
    box = _box(starts.min(0), starts.max(0), shape)
    if box is None:
        return None
    top, left, bottom, right = box
    spans = np.concatenate([_between(starts, ends, top, bottom), _on(starts, ends)])
    row, first, last = spans[(spans[:, 0] >= top) & (spans[:, 0] <= bottom)].T
    start = np.clip(np.ceil(first - ROUNDING_PX), left, right + 1).astype(np.intp) - left
    stop = np.clip(np.floor(last + ROUNDING_PX) + 1, left, right + 1).astype(np.intp) - left
    steps = np.zeros((bottom - top + 1, right - left + 2), np.int32)
    np.add.at(steps, (row.astype(np.intp) - top, start), 1)
    np.add.at(steps, (row.astype(np.intp) - top, stop), -1)
    mask = np.cumsum(steps[:, :-1], axis=1) > 0
    return Patch(top, left, mask) if mask.any() else None


def ellipse(centre: tuple[float, float], radii: tuple[float, float], shape: tuple[int, int]) -> Patch | None:
    """Return the pixels in an ellipse, with centre and radii along y and x, px; None if there is none."""
    place, reach = np.array(centre), np.array(radii)
    box = _box(place - reach, place + reach, shape)
    if box is None:
        return None
    top, left, bottom, right = box
    y = (np.arange(top, bottom + 1) - centre[0]) / radii[0]
    x = (np.arange(left, right + 1) - centre[1]) / radii[1]
    mask = y[:, None] ** 2 + x[None, :] ** 2 <= 1 + ROUNDING_PX
    return Patch(top, left, mask) if mask.any() else None


def gathered(rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Patch | None:
    """Return the pixels with these row and column indices; None if there is none."""
    if not rows.size:
        return None
    top, left = int(rows.min()), int(columns.min())
    mask = np.zeros((int(rows.max()) - top + 1, int(columns.max()) - left + 1), bool)
    mask[rows - top, columns - left] = True
    return Patch(top, left, mask)


def united(patches: Sequence[Patch]) -> Patch | None:
    """Return the union of patches; None if there is none."""
    if len(patches) < 2:
        return patches[0] if patches else None
    top, left = min(p.top for p in patches), min(p.left for p in patches)
    bottom = max(p.top + p.mask.shape[0] for p in patches)
    right = max(p.left + p.mask.shape[1] for p in patches)
    mask = np.zeros((bottom - top, right - left), bool)
    for patch in patches:
        rows, columns = patch.slices
        mask[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] |= patch.mask
    return Patch(top, left, mask)


def _box(
    low: NDArray[np.float64], high: NDArray[np.float64], shape: tuple[int, int]
) -> tuple[int, int, int, int] | None:
    """Return the first row and column between two corners that lie in the image, then the last ones."""
    top, left = (max(0, math.ceil(value - ROUNDING_PX)) for value in low.tolist())
    bottom, right = (math.floor(value + ROUNDING_PX) for value in high.tolist())
    bottom, right = min(bottom, shape[0] - 1), min(right, shape[1] - 1)
    return (top, left, bottom, right) if top <= bottom and left <= right else None


Spans = NDArray[np.float64]
"""Intervals of rows, shape (N, 3): the row, and the x where the interval begins and ends."""


def _between(starts: Ring, ends: Ring, top: int, bottom: int) -> Spans:
    """Return the intervals between the crossings of the edges with the rows `top` to `bottom`."""
    down = (starts[:, 0] <= ends[:, 0])[:, None]
    low, high = np.where(down, starts, ends), np.where(down, ends, starts)
    # An edge includes its first row and not its last, so that a row crosses a ring an even number of times.
    first = np.clip(np.ceil(low[:, 0]), top, bottom + 1).astype(np.intp)
    count = np.clip(np.ceil(high[:, 0]), top, bottom + 1).astype(np.intp) - first
    edge = np.repeat(np.arange(len(count)), count)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    low, high = low[edge], high[edge]
    x = low[:, 1] + (row - low[:, 0]) / (high[:, 0] - low[:, 0]) * (high[:, 1] - low[:, 1])
    order = np.lexsort((x, row))
    return np.column_stack([row[order][::2], x[order][::2], x[order][1::2]])


def _on(starts: Ring, ends: Ring) -> Spans:
    """Return the edges along a row, and the vertices on pixel centres, which `_between` may miss."""
    along = (starts[:, 0] == ends[:, 0]) & (starts[:, 0] == np.rint(starts[:, 0]))
    corner = (starts == np.rint(starts)).all(axis=1)
    x = np.column_stack([starts[:, 1], ends[:, 1]])
    edges = np.column_stack([starts[:, 0], x.min(1), x.max(1)])[along]
    return np.concatenate([edges, starts[corner][:, (0, 1, 1)]])
