"""From a label image to one row of measurements a bead.

Sums run over *runs*, the horizontal stretches of one label: far fewer than pixels, with closed forms for the
sums of x and of x squared. Only intensities need every pixel. Planes are read in bands of rows, so memory
grows with beads and runs alone: about 200 bytes a bead for the table, and 40 a run for the work.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl import scratch
from beadctl.images import top_level
from beadctl.segmentation import gaps as missing
from beadctl.segmentation import touching
from beadctl.segmentation.bead_table import BeadTable
from beadctl.segmentation.intensity import BeadIntensities, bead_intensities
from beadctl.segmentation.runs import Column, Part, Runs, runs_of

# Share of saturated pixels from which a bead is flagged.
_SATURATED = 0.1

# Length that an outline pixel adds to the perimeter, by its number of edge neighbours (rows, 0..4) and corner
# neighbours (columns, 0..4) on the outline: 1 where the outline is straight, sqrt 2 where it slants.
_SLANTED, _HALF = math.sqrt(2), (1 + math.sqrt(2)) / 2
_PASS_PX = np.array(
    [
        (0, 0, _SLANTED, 0, 0),
        (0, _HALF, _HALF, _SLANTED, 0),
        (1, 1, 1, 0, 0),
        (1, 1, 1, 0, 0),
        (0, 0, 0, 0, 0),
    ]
)


def measure(
    labels: NDArray[np.uint32],
    image: NDArray[Any] | None = None,
    probability: NDArray[np.uint8] | None = None,
    marker: NDArray[np.uint8] | None = None,
    *,
    saturated: NDArray[np.bool_] | None = None,
    gaps: NDArray[np.bool_] | None = None,
    pixel_size_um: float | None = None,
    outlines: bool = True,
) -> BeadTable:
    """Measure every bead of a label image: one row for each label, in ascending order.

    Parameters
    ----------
    labels : ndarray of int, shape (H, W)
        Label image, 0 for background, labels in any order and with gaps.
    image : ndarray, shape (H, W), optional
        Intensities in the image's own units, any real dtype, not normalised.
    probability, marker : ndarray of uint8, shape (H, W), optional
        The network's maps, 0..255 for 0..1.
    saturated : ndarray of bool, shape (H, W), optional
        Pixels with the camera's top grey level; by default those of `image`.
    gaps : ndarray of bool, shape (H, W), optional
        Where the plane has no values; see `beadctl.segmentation.gaps.gaps_of`.
    pixel_size_um : float, optional
        Edge of a (square) pixel, um; None where unknown.
    outlines : bool
        Whether to look at outlines: else perimeter and circularity are nan, and no bead is marked as
        touching another.

    Raises
    ------
    ValueError
        If the planes are not 2-D or not of one shape.

    Examples
    --------
    >>> labels = np.zeros((9, 9), np.uint32)
    >>> labels[2:6, 3:7] = 1
    >>> table = measure(labels, pixel_size_um=0.5)
    >>> table.area_px.tolist(), table.area_um2.tolist(), table.y_px.tolist()
    ([16], [4.0], [3.5])
    """
    _require_one_shape(labels, image=image, probability=probability, marker=marker, gaps=gaps)
    runs = runs_of(labels)
    unknown = np.full(runs.labels.size, np.nan)
    area = runs.area_px
    y, x, border = _places(runs, labels.shape)
    major, minor = _axes(runs, area, y, x)
    perimeter, on_outline = _outlines(labels, runs) if outlines else (unknown, unknown)
    diameter = np.sqrt(4 * area / np.pi)
    probable = unknown if probability is None else runs.means(probability) / 255
    height = unknown if marker is None else runs.highest(marker) / 255
    total = unknown if image is None else _totals(image, runs)
    greys = (
        BeadIntensities(*[unknown] * 4) if image is None else bead_intensities(labels, image, runs, diameter)
    )
    # Factors of nan give columns of nan.
    um = np.nan if pixel_size_um is None else pixel_size_um
    return BeadTable(
        label=runs.labels,
        y_px=y,
        x_px=x,
        area_px=area.astype(np.int64),
        diameter_px=diameter,
        perimeter_px=perimeter,
        major_axis_px=major,
        minor_axis_px=minor,
        circularity=_circularities(area, perimeter, on_outline, major, minor),
        mean_intensity=total / area,
        confidence=probable if marker is None else probable * np.sqrt(height),
        area_um2=area * um**2,
        diameter_um=diameter * um,
        border=border | np.isin(runs.labels, missing.beside(labels, gaps)),
        clump=np.isin(runs.labels, touching.pairs(labels) if outlines else ()),
        saturated=_saturated(image, saturated, runs),
        min_intensity=greys.lowest,
        max_intensity=greys.highest,
        median_intensity=greys.median,
        integrated_intensity=total,
        local_background=greys.background,
        y_um=y * um,
        x_um=x * um,
        mean_probability=probable,
        marker_height=height,
    )


def _require_one_shape(labels: NDArray[Any], **planes: NDArray[Any] | None) -> None:
    for name, plane in planes.items():
        if plane is not None and plane.shape != labels.shape:
            raise ValueError(f"the {name} is {plane.shape}, the label image {labels.shape}")
    if labels.ndim != 2:
        raise ValueError(f"the label image has {labels.ndim} axes, not 2")


def _places(runs: Runs, shape: tuple[int, ...]) -> tuple[Column, Column, NDArray[np.bool_]]:
    """Return the centroids, y and x, px, and whether a pixel lies on the edge of the plane, each (N,)."""
    bottom, right = shape[0] - 1, shape[1] - 1
    down, across, at_edge = runs.sums(
        lambda part: (
            part.length * part.row,
            part.length * (part.first + part.last),
            (part.row == 0) | (part.row == bottom) | (part.first == 0) | (part.last == right),
        )
    )
    return down / runs.area_px, across / 2 / runs.area_px, at_edge > 0


def _totals(image: NDArray[Any], runs: Runs) -> Column:
    """Return the sum of each bead's intensities; nan where one of them is not finite."""
    # A sum of infinities of both signs is nan, with a warning.
    with np.errstate(invalid="ignore"):
        total = runs.totals(image)
    return np.where(np.isfinite(total), total, np.nan)


def _saturated(
    image: NDArray[Any] | None, saturated: NDArray[np.bool_] | None, runs: Runs
) -> NDArray[np.bool_]:
    if image is None or not image.size:
        return np.zeros(runs.labels.size, dtype=bool)
    if saturated is not None:
        return np.asarray(runs.means(saturated) >= _SATURATED)
    level = top_level([image])
    if level is None:
        return np.zeros(runs.labels.size, dtype=bool)
    return np.asarray(runs.means(image, lambda rows: rows == level) >= _SATURATED)


def _axes(runs: Runs, area: Column, y: Column, x: Column) -> tuple[Column, Column]:
    """Full axes, 4 sqrt(eigenvalue) of the covariance of pixel centres."""
    # Relative to the whole pixel nearest the centroid, coordinates have exact sums of squares.
    near_y, near_x = np.rint(y), np.rint(x)

    def moments(part: Part) -> tuple[NDArray[Any], ...]:
        length, dy = part.length, part.row - near_y[part.bead]
        middle = (part.first + part.last) / 2 - near_x[part.bead]
        # A run of n pixels has the variance (n**2 - 1) / 12 of the discrete uniform distribution.
        return length * dy**2, length * dy * middle, length * (middle**2 + (length**2 - 1) / 12)

    down, both, across = runs.sums(moments)
    yy = down / area - (y - near_y) ** 2
    xy = both / area - (y - near_y) * (x - near_x)
    xx = across / area - (x - near_x) ** 2
    half_trace, spread = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    major = 4 * np.sqrt(np.maximum(half_trace + spread, 0))
    return major, 4 * np.sqrt(np.maximum(half_trace - spread, 0))


def _circularities(
    area: Column, perimeter: Column, on_outline: Column, major: Column, minor: Column
) -> Column:
    """Return 4 pi A / P**2, at most 1; nan where the perimeter is no way around the bead.

    The way leads from centre to centre of the pixels on the outline; where these are all, as of a line or of
    2 x 2 pixels, it is far too short. Where they are most, it is too short for narrow beads: the value is at
    most that of the ellipse of equal second moments.
    """
    with np.errstate(divide="ignore"):
        roundness = 4 * np.pi * area / np.square(perimeter)
    is_wrong = (perimeter == 0) | ((on_outline == area) & (roundness > 1))
    most = np.where(2 * on_outline > area, _ellipse_circularities(major, minor), 1.0)
    return np.where(is_wrong, np.nan, np.minimum(roundness, most))


def _ellipse_circularities(major: Column, minor: Column) -> Column:
    """Return 4 pi A / P**2 of ellipses by the axes that `_axes` gives.

    The perimeter is pi (a + b) (1 + 3 h / (10 + sqrt(4 - 3 h))) with h = ((a - b) / (a + b))**2 (Ramanujan
    1914, "Modular equations and approximations to pi"), within 0.05 % for any ellipse.
    """
    # A pixel is a square and no point: its coordinates have the variance 1 / 12.
    a, b = (np.sqrt(np.square(axis) + 16 / 12) for axis in (major, minor))
    h = np.square((a - b) / (a + b))
    circularity: Column = 4 * a * b / np.square((a + b) * (1 + 3 * h / (10 + np.sqrt(4 - 3 * h))))
    return circularity


def _outlines(labels: NDArray[Any], runs: Runs) -> tuple[Column, Column]:
    """Return the length of each bead's outline, px, that of its holes included, and the pixels on it.

    Lengths are summed in raster order.
    """
    total, pixels = np.zeros(runs.labels.size), np.zeros(runs.labels.size)
    for rows in scratch.bands(*labels.shape):
        label, length = _outline(labels, rows)
        bead = np.searchsorted(runs.labels, label)
        np.add.at(total, bead, length)
        pixels += np.bincount(bead, minlength=pixels.size)
        scratch.release(labels)
    return total, pixels


def _outline(labels: NDArray[Any], rows: slice) -> tuple[NDArray[Any], Column]:
    """Return label and length of the pixels of some rows that lie on the outline of a bead."""
    # Whether a neighbour lies on the outline is told by its own neighbours: two rows more on each side.
    top, bottom = max(0, rows.start - 2), min(labels.shape[0], rows.stop + 2)
    above, below = 2 - (rows.start - top), 2 - (bottom - rows.stop)
    plane = np.pad(np.asarray(labels[top:bottom]), ((above, below), (1, 1)))
    across = plane[1:-1, 1:] == plane[1:-1, :-1]
    down = plane[1:, 1:-1] == plane[:-1, 1:-1]
    inside = across[:, 1:] & across[:, :-1] & down[1:] & down[:-1]
    outline = np.zeros(plane.shape, bool)
    outline[1:-1, 1:-1] = (plane[1:-1, 1:-1] != 0) & ~inside
    stride = plane.shape[1]
    at = np.flatnonzero(outline[2:-2]) + 2 * stride
    own = plane.ravel()[at]

    def neighbours(*steps: int) -> NDArray[np.uint8]:
        count = np.zeros(at.size, dtype=np.uint8)
        for step in steps:
            count += outline.ravel()[at + step] & (plane.ravel()[at + step] == own)
        return count

    beside = neighbours(-stride, -1, 1, stride)
    cornerwise = neighbours(-stride - 1, -stride + 1, stride - 1, stride + 1)
    return own, _PASS_PX[beside, cornerwise]
