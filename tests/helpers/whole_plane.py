"""Measurements of a label image with temporaries of the plane's size, which those in bands have to equal."""

import math

import numpy as np
from scipy import ndimage

from beadctl.segmentation import half_contrast

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


class Runs:
    def __init__(self, labels):
        begins = np.ones(labels.shape, dtype=bool)
        np.not_equal(labels[:, 1:], labels[:, :-1], out=begins[:, 1:])
        self.starts = np.flatnonzero(begins)
        of_run = labels.ravel()[self.starts]
        self.place = np.flatnonzero(of_run)
        self.row, self.first = np.divmod(self.starts[self.place], max(1, labels.shape[1]))
        self.last = self.first + np.diff(self.starts, append=labels.size)[self.place] - 1
        self.labels, self.bead = np.unique(of_run[self.place], return_inverse=True)

    def sums(self, values):
        """Sum one value a run over each bead, in float64."""
        return np.bincount(self.bead, weights=values, minlength=self.labels.size).astype(np.float64)

    def totals(self, plane):
        """Sum a plane over each bead."""
        return self.sums(np.add.reduceat(plane.ravel(), self.starts, dtype=np.float64)[self.place])

    def means(self, plane):
        """Mean of a plane over each bead."""
        return np.asarray(self.totals(plane) / self.sums(self.last - self.first + 1))

    def highest(self, plane):
        """Highest value of a plane over each bead."""
        per_run = np.maximum.reduceat(plane.ravel(), self.starts)[self.place]
        highest = np.zeros(self.labels.size, plane.dtype)
        np.maximum.at(highest, self.bead, per_run)
        return highest.astype(np.float64)


def measured(labels, image, probability, marker, saturated=None):
    """Return the columns of `BeadTable` that need the planes."""
    runs = Runs(labels)
    length = runs.last - runs.first + 1
    area = runs.sums(length)
    y = runs.sums(length * runs.row) / area
    x = runs.sums(length * (runs.first + runs.last)) / 2 / area
    major, minor = _axes(runs, area, y, x)
    perimeter = _perimeters(labels, runs)
    diameter = np.sqrt(4 * area / np.pi)
    bottom, right = labels.shape[0] - 1, labels.shape[1] - 1
    at_edge = (runs.row == 0) | (runs.row == bottom) | (runs.first == 0) | (runs.last == right)
    height = 1.0 if marker is None else np.sqrt(runs.highest(marker) / 255)
    total = runs.totals(image)
    lowest, median, highest, background = bead_intensities(labels, image, runs, diameter)
    pixels = saturated_pixels([image]) if saturated is None else saturated
    return {
        "label": runs.labels,
        "y_px": y,
        "x_px": x,
        "area_px": area,
        "perimeter_px": perimeter,
        "major_axis_px": major,
        "minor_axis_px": minor,
        "mean_intensity": total / area,
        "confidence": runs.means(probability) / 255 * height,
        "border": runs.sums(at_edge) > 0,
        "clump": np.isin(runs.labels, pairs(labels)),
        "saturated": runs.means(pixels) >= 0.1,
        "min_intensity": lowest,
        "max_intensity": highest,
        "median_intensity": median,
        "integrated_intensity": total,
        "local_background": background,
    }


def _axes(runs, area, y, x):
    """Full axes, 4 sqrt(eigenvalue) of the covariance of pixel centres."""
    # Relative to the whole pixel nearest the centroid, coordinates have exact sums of squares.
    near_y, near_x = np.rint(y), np.rint(x)
    length = runs.last - runs.first + 1
    dy = runs.row - near_y[runs.bead]
    middle = (runs.first + runs.last) / 2 - near_x[runs.bead]
    yy = runs.sums(length * dy**2) / area - (y - near_y) ** 2
    xy = runs.sums(length * dy * middle) / area - (y - near_y) * (x - near_x)
    # A run of n pixels has the variance (n**2 - 1) / 12 of the discrete uniform distribution.
    xx = runs.sums(length * (middle**2 + (length**2 - 1) / 12)) / area - (x - near_x) ** 2
    half_trace, spread = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    major = 4 * np.sqrt(np.maximum(half_trace + spread, 0))
    return major, 4 * np.sqrt(np.maximum(half_trace - spread, 0))


def _perimeters(labels, runs):
    """Length of each bead's outline, that of its holes included, in px."""
    plane = np.pad(labels, 1)
    across = plane[1:-1, 1:] == plane[1:-1, :-1]
    down = plane[1:, 1:-1] == plane[:-1, 1:-1]
    inside = across[:, 1:] & across[:, :-1] & down[1:] & down[:-1]
    outline = np.pad((labels != 0) & ~inside, 1)
    at = np.flatnonzero(outline)
    own = plane.ravel()[at]
    stride = plane.shape[1]

    def neighbours(*steps):
        count = np.zeros(at.size, dtype=np.intp)
        for step in steps:
            count += outline.ravel()[at + step] & (plane.ravel()[at + step] == own)
        return count

    beside = neighbours(-stride, -1, 1, stride)
    cornerwise = neighbours(-stride - 1, -stride + 1, stride - 1, stride + 1)
    bead = np.searchsorted(runs.labels, own)
    length = np.bincount(bead, weights=_PASS_PX[beside, cornerwise], minlength=runs.labels.size)
    return length.astype(np.float64)


def bead_intensities(labels, image, runs, diameter_px):
    """Measure the intensities of beads."""
    near, values = _near(labels).ravel(), image.ravel()
    reach = np.maximum(5.0, 0.25 * diameter_px)
    columns = [np.full(diameter_px.size, np.nan) for _ in range(4)]
    for beads, rows in _batches(runs, diameter_px + 2 * reach):
        bead, start = runs.bead[rows] - beads.start, runs.row[rows] * labels.shape[1] + runs.first[rows]
        length = runs.last[rows] - runs.first[rows] + 1
        count = beads.stop - beads.start
        own = np.bincount(bead, length, count).astype(np.intp)
        found = _order_statistics(values[_pixels(start, length)], own)
        around, owner = _around(runs, rows, reach, beads.start, labels.shape)
        free = ~near[around]
        ring, owner = values[around[free]], owner[free]
        finite = np.isfinite(ring)
        ring, owner = ring[finite], owner[finite]
        found.append(_order_statistics(ring, np.bincount(owner, minlength=count))[1])
        for column, part in zip(columns, found, strict=True):
            column[beads] = part
    return columns


def _near(labels):
    """Return the pixels of beads and those that touch one, 8-connected."""
    beads = labels != 0
    tall = beads.copy()
    tall[1:] |= beads[:-1]
    tall[:-1] |= beads[1:]
    near = tall.copy()
    near[:, 1:] |= tall[:, :-1]
    near[:, :-1] |= tall[:, 1:]
    return near


def _batches(runs, extent_px):
    """Yield ranges of beads, and the indices of their runs, one bead after the other."""
    order = np.argsort(runs.bead, kind="stable")
    batch = np.cumsum(np.square(extent_px)) // 2**21
    cuts = [*np.flatnonzero(np.diff(batch, prepend=-1)).tolist(), batch.size]
    at = np.searchsorted(runs.bead[order], cuts)
    for number in range(len(cuts) - 1):
        yield slice(cuts[number], cuts[number + 1]), order[at[number] : at[number + 1]]


def _pixels(start, length):
    """Return the flat pixels of runs, one run after the other."""
    end = np.cumsum(length)
    return np.asarray(np.repeat(start - end + length, length) + np.arange(length.sum()))


def _order_statistics(values, counts):
    """Return minimum, median and maximum of groups of values, which lie one after the other."""
    values, end = values.copy(), np.cumsum(counts)
    start = end - counts
    # One short sort after the other is faster than one sort of all by group and value.
    for first, last in zip(start.tolist(), end.tolist(), strict=True):
        values[first:last].sort()
    some = counts > 0
    start, end = start[some], end[some]
    lowest, low, high, highest = (
        values[at].astype(np.float64) for at in (start, (start + end - 1) // 2, (start + end) // 2, end - 1)
    )
    # nan is sorted last.
    unknown = np.isnan(highest)
    columns = []
    for found in (lowest, low / 2 + high / 2, highest):
        column = np.full(counts.size, np.nan)
        column[some] = np.where(unknown, np.nan, found)
        columns.append(column)
    return columns


def _around(runs, rows, reach, first_bead, shape):
    """Return the pixels within reach of beads, each once a bead, and their bead from 0, in its order."""
    height, width = shape
    # Each run is widened into the rows above and below; the union of a bead's widened runs is its disc-shaped
    # dilation. Beads lie one after the other on a line of whole planes.
    radius = reach[runs.bead[rows]]
    down_px = np.floor(radius).astype(np.intp)
    steps = 2 * down_px + 1
    run = np.repeat(np.arange(rows.size), steps)
    down = _pixels(-down_px, steps)
    across = np.floor(np.sqrt(np.square(radius[run]) - np.square(down))).astype(np.intp)
    row = runs.row[rows][run] + down
    inside = (row >= 0) & (row < height)
    run, across, row = run[inside], across[inside], row[inside]
    line = ((runs.bead[rows][run] - first_bead) * height + row) * width
    start = line + np.maximum(runs.first[rows][run] - across, 0)
    end = line + np.minimum(runs.last[rows][run] + across, width - 1)
    order = np.argsort(start)
    start, end = start[order], np.maximum.accumulate(end[order])
    apart = np.flatnonzero(np.append(True, start[1:] > end[:-1]))
    start, end = start[apart], end[np.append(apart[1:] - 1, end.size - 1)]
    owner, first = np.divmod(start, height * width)
    length = end - start + 1
    return _pixels(first, length), np.repeat(owner, length)


def pairs(labels):
    """Return the pairs of labels that touch, 8-connected: shape (N, 2), the smaller label first."""
    found = []
    for down, across in ((0, 1), (1, 0), (1, 1), (1, -1)):
        one = labels[: labels.shape[0] - down, max(0, -across) : labels.shape[1] - max(0, across)]
        other = labels[down:, max(0, across) : labels.shape[1] + min(0, across)]
        met = (one != other) & (one != 0) & (other != 0)
        first, second = one[met].astype(np.uint64), other[met].astype(np.uint64)
        # Two labels of 32 bits as one number, which is faster to sort.
        found.append(np.minimum(first, second) << np.uint64(32) | np.maximum(first, second))
    both = np.unique(np.concatenate(found))
    return np.stack([both >> np.uint64(32), both & np.uint64(0xFFFFFFFF)], axis=-1).astype(np.int64)


_TOP_LEVELS = {2**bits - 1 for bits in (8, 10, 12, 14, 16)}
_SHIFTS = {(2**bits - 1) << (16 - bits): 16 - bits for bits in (10, 12, 14)}


def saturated_pixels(samples):
    """Return the pixels of which a sample has the camera's top grey level."""
    first = samples[0]
    if first.dtype.kind in "uif" and first.size:
        top = max(sample.max() for sample in samples)
        shift = _SHIFTS.get(int(top), 0) if first.dtype.kind in "ui" else 0
        if top in _TOP_LEVELS or (shift and not any((s & (2**shift - 1)).any() for s in samples)):
            return np.asarray(np.logical_or.reduce([sample == top for sample in samples]))
    return np.zeros(first.shape, dtype=bool)


def at_half_contrast(labels, image, normalisation):
    """Outline clipped beads again."""
    clipped = (labels > 0) & (np.abs(normalisation.scaled(image)) > 3.0)
    if not clipped.any():
        return labels
    areas = np.bincount(labels.ravel())
    mostly = np.bincount(labels[clipped], minlength=areas.size) > half_contrast.MOSTLY * areas
    chosen = np.flatnonzero(mostly[1:]) + 1
    result, places = labels.copy(), ndimage.find_objects(labels.astype(np.int64))
    for label in chosen:
        window = tuple(slice(max(0, one.start - 6), one.stop + 6) for one in places[label - 1])
        part = labels[window]
        kept = half_contrast._above_half(part, image[window], label)
        result[window][(part == label) & ~kept] = 0
    return result
