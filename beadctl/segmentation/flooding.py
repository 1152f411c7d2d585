"""One cell of a plane flooded from its peaks.

A basin is known by the first pixel of its peak, so the parts of it that lie in two cells are one; what a cell
sees of a basin without its peak has no pass to rise above, and is joined.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.morphology import local_maxima

from beadctl.segmentation.cells import Cell
from beadctl.segmentation.pieces import pieces_of
from beadctl.segmentation.watershed import Flat, Ids, divided_by_distance, flooded


@dataclass(frozen=True)
class FloodedCell:
    """The basins of a cell's window.

    Attributes
    ----------
    number : ndarray of int32, shape (h, w)
        The number of each pixel's basin, 0 for none; not every number is used.
    key : ndarray of int64
        By number, the pixel of the plane by which the basin is known: the first of its peak.
    """

    number: NDArray[np.int32]
    key: NDArray[np.int64]


def flooded_cell(
    probability: NDArray[np.uint8],
    marker: NDArray[np.uint8] | None,
    cell: Cell,
    level: int,
    least: int,
) -> FloodedCell:
    """Flood the components of a cell's window from their peaks."""
    foreground = probability[cell.window.slices] >= level
    components = pieces_of(foreground, diagonal=True)
    pixels, component, count = components.pixels, components.of_pixels, components.count
    number = np.zeros(foreground.shape, np.int32)
    if not pixels.size:
        return FloodedCell(number, np.zeros(1, np.int64))
    if marker is None:
        number.ravel()[pixels] = parts = divided_by_distance(pixels, component, foreground.shape)
        return FloodedCell(number, in_plane(_first(pixels, parts), cell, probability.shape))
    # Peaks within the foreground only: the marker map outside is ignored.
    heights = marker[cell.window.slices] * foreground
    high = local_maxima(heights, connectivity=2) & foreground  # type: ignore[no-untyped-call]
    peaks = pieces_of(high, diagonal=True)
    where, peak = peaks.pixels, peaks.of_pixels
    number.ravel()[pixels] = component
    owner = number.ravel()[where]
    # Low peaks flood too: else the border of two basins could run over a hill instead of through a pass.
    component_of = np.zeros(peaks.count + 1, np.intp)
    tall = heights.ravel()[where] >= least
    component_of[peak[tall]] = owner[tall]
    crowded = np.bincount(component_of[1:], minlength=count + 1) > 1
    crowded[_cut_off(number, cell, probability.shape)] = True
    crowded[0] = False
    chosen = crowded[component]
    first = _first(pixels, component)
    if chosen.any():
        members, member_of = pixels[chosen], component[chosen]
        # A component without a peak, whose marker map is 0, is one basin.
        has_peak = np.zeros(count + 1, bool)
        has_peak[owner] = True
        peak_at = np.zeros(heights.size, np.int32)
        peak_at[where] = peak
        seeds = np.where(has_peak[member_of], peak_at[members], component_of.size + member_of)
        basin = flooded(members, member_of, heights.ravel()[members].astype(np.intp), seeds, heights.shape)
        # Components, then peaks, then components without a peak.
        number.ravel()[members] = count + 1 + basin
        first = np.concatenate((first, _first(where, peak), first))
    return FloodedCell(number, in_plane(first, cell, probability.shape))


def _cut_off(components: Ids, cell: Cell, shape: tuple[int, ...]) -> Ids:
    """Return the components that may go on beyond the window of a cell."""
    window = cell.window
    sides = (
        (window.top > 0, components[0]),
        (window.bottom < shape[0], components[-1]),
        (window.left > 0, components[:, 0]),
        (window.right < shape[1], components[:, -1]),
    )
    return np.concatenate([components[:0, 0], *(side for within, side in sides if within)])


def _first(pixels: Flat, numbers: Ids) -> Flat:
    """Return the first of ascending pixels that has each number, 0 for a number that none has."""
    first = np.zeros(int(numbers.max(initial=0)) + 1, np.intp)
    # The last assignment to an index wins: going backwards leaves the first pixel.
    first[numbers[::-1]] = pixels[::-1]
    return first


def in_plane(pixels: Flat, cell: Cell, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return flat pixels of the window of a cell as those of the plane."""
    rows, columns = np.divmod(pixels, cell.window.width)
    return np.asarray((rows + cell.window.top) * shape[1] + columns + cell.window.left, np.int64)
