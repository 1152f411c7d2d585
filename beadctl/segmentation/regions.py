"""Regions of a plane, each of one or more basins, and what tells whether two neighbours are one bead."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from beadctl.segmentation.basins import Basins
from beadctl.segmentation.passes import Borders
from beadctl.segmentation.watershed import Flat

Floats = NDArray[np.float64]

# Confidence of the regions that the others are compared with; of less confident ones over a quarter are none.
SURE = 0.8
# Moment of a pixel about its own middle: (1 px)^2 / 12.
OF_A_PIXEL = 1 / 12
# Least moments, px^2 and px^4, so that a row of pixels has an ellipse.
LEAST_MOMENT, LEAST_DETERMINANT = 1e-3, 1e-6
# A disc fills its ellipse of inertia to 1; holes and pixels of an edge give more.
MOST_FILL = 1.1


@dataclass(frozen=True)
class Population:
    """What the sure regions of a plane are like.

    Attributes
    ----------
    diameter_px : float
        Median equivalent diameter, px.
    spread : float
        Median of the absolute differences of its logarithm from that of the median.
    fill : float
        Mean of area over that of the ellipse of the same second moments; 1 for ellipses, less for others.
    log_aspect : float
        Mean logarithm of the aspect ratio of that ellipse.
    """

    diameter_px: float
    spread: float = 0.0
    fill: float = 1.0
    log_aspect: float = 0.0


@dataclass(frozen=True, eq=False)
class Regions:
    """The regions of a plane, known by the number of their highest basin; columns have a place a basin.

    Attributes
    ----------
    of_basin : ndarray of intp, shape (n,)
        The region of each basin.
    sums : ndarray of float64, shape (n, 7)
        Area, px; sum of the probability, 0..255 each; and moments as in `Basins`. 0 for basins that are part
        of another one's region.
    height : ndarray of intp, shape (n,)
        Largest value of the marker map, 0..255.
    borders : Borders
        Between neighbouring regions.
    changed : ndarray of bool, shape (n,)
        Which regions the last joining made.
    """

    of_basin: Flat
    sums: Floats
    height: Flat
    borders: Borders
    changed: NDArray[np.bool_]

    @classmethod
    def of(cls, basins: Basins) -> "Regions":
        """Return regions of one basin each."""
        count = len(basins.height)
        sums = np.column_stack((basins.area_px, basins.light, basins.moments)).astype(np.float64)
        return cls(np.arange(count), sums, basins.height, basins.borders, np.ones(count, bool))

    def joined(self, chosen: NDArray[np.bool_]) -> "Regions":
        """Return the regions after joining those of the chosen borders, bool (M,)."""
        # Most joinings are of a few of the regions: the others keep their numbers.
        region, place = np.unique(self.borders.pairs[chosen], return_inverse=True)
        one, other = place.reshape(-1, 2).T
        joins = coo_array((np.ones(one.size, bool), (one, other)), shape=(region.size, region.size))
        _, group = connected_components(joins, directed=False)
        # The highest of a group, of equals the first, comes last.
        order = np.lexsort((-region, self.height[region]))
        named = np.zeros(region.size, np.intp)
        named[group[order]] = region[order]
        name = np.arange(len(self.height))
        name[region] = named[group]
        return self.renamed(name)

    def renamed(self, name: Flat) -> "Regions":
        """Return the regions under other numbers, (n,), each that of one of those that become one."""
        count = len(name)
        gone = np.flatnonzero(name != np.arange(count))
        sums, height, changed = self.sums.copy(), self.height.copy(), np.zeros(count, bool)
        np.add.at(sums, name[gone], self.sums[gone])
        np.maximum.at(height, name[gone], self.height[gone])
        changed[name[gone]] = True
        sums[gone] = height[gone] = 0
        return Regions(name[self.of_basin], sums, height, self.borders.renamed(name, count), changed)

    @property
    def population(self) -> Population | None:
        """What the sure regions are like; None without one."""
        area = self.sums[:, 0]
        confidence = self.sums[:, 1] / np.maximum(area, 1) / 255 * np.sqrt(self.height / 255)
        sure = self.sums[(confidence >= SURE) & (area > 0)]
        if not len(sure):
            return None
        sizes, shape = np.log(_diameter(sure)), _Ellipse.of(sure)
        middle = float(np.median(sizes))
        return Population(
            float(np.exp(middle)),
            float(np.median(np.abs(sizes - middle))),
            float(np.minimum(shape.fill, MOST_FILL).mean()),
            float(shape.log_aspect.mean()),
        )

    def features(self, population: Population | None, of: Flat | slice = slice(None)) -> Floats:
        """Return what a joiner is shown of borders, (m, len(JOIN_FEATURES)).

        These are the marker height of the lower and the higher region and of the pass, 0..1, and the last as
        a share of the first; logarithms of the equivalent diameters, px, of both and of their union; how far
        each fills the ellipse of its second moments; the union's aspect ratio; the length of the border and
        the distance of the centroids, over the lesser and the mean diameter; the mean probability in both and
        at the border, and the mean marker there; and sizes relative to the population of the plane, with its
        spread, fill and aspect ratio, all 0 where it is unknown.

        Parameters
        ----------
        population : Population or None
            Of the plane.
        of : ndarray of intp, shape (m,), or slice
            Which borders; by default all.
        """
        pairs, borders = self.borders.pairs[of], self.borders
        order = np.lexsort((self.sums[pairs, 0], self.height[pairs]), axis=-1)
        lower, higher = np.take_along_axis(pairs, order, axis=1).T
        sums = (self.sums[lower], self.sums[higher], self.sums[lower] + self.sums[higher])
        shapes, diameters = [_Ellipse.of(one) for one in sums], [_diameter(one) for one in sums]
        marker_lower, marker_higher = self.height[lower] / 255, self.height[higher] / 255
        height, contact = borders.passes[of] / 255, borders.contact[of]
        apart = np.hypot(shapes[0].row - shapes[1].row, shapes[0].column - shapes[1].column)
        sizes = [np.log(one) for one in diameters]
        known = np.full(len(pairs), float(population is not None))
        of_all = population or Population(1.0, fill=0.0)
        relative = [known * (one - np.log(of_all.diameter_px)) for one in sizes]
        return np.column_stack(
            (
                *(marker_lower, marker_higher, height, height / np.maximum(marker_lower, 1 / 255)),
                *sizes,
                *(one.fill for one in shapes),
                shapes[2].log_aspect,
                contact / np.maximum(np.minimum(diameters[0], diameters[1]), 1),
                apart / ((diameters[0] + diameters[1]) / 2),
                *(one[:, 1] / one[:, 0] / 255 for one in sums[:2]),
                borders.probability[of] / contact / 255,
                borders.marker[of] / contact / 255,
                known,
                *relative,
                *(known * one for one in (of_all.spread, of_all.fill, of_all.log_aspect)),
            )
        )


@dataclass(frozen=True, eq=False)
class _Ellipse:
    """The ellipses of the same second moments as regions: centre, share that is filled, log aspect ratio."""

    row: Floats
    column: Floats
    fill: Floats
    log_aspect: Floats

    @classmethod
    def of(cls, sums: Floats) -> "_Ellipse":
        area = sums[:, 0]
        row, column, down, across, both = (sums[:, 2:] / area[:, None]).T
        down = down - row * row + OF_A_PIXEL
        across = across - column * column + OF_A_PIXEL
        both = both - row * column
        determinant = np.maximum(down * across - both * both, LEAST_DETERMINANT)
        half = (down + across) / 2
        apart = np.sqrt(np.maximum(half * half - determinant, 0))
        log_aspect = np.log((half + apart) / np.maximum(half - apart, LEAST_MOMENT)) / 2
        return cls(row, column, area / (4 * np.pi * np.sqrt(determinant)), log_aspect)


def _diameter(sums: Floats) -> Floats:
    return np.asarray(np.sqrt(4 / np.pi * sums[:, 0]))
