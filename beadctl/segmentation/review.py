"""What a plane and its beads are like, as a reviewer of counts is shown it."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from beadctl import scratch
from beadctl.model.perceptron import Floats
from beadctl.model.session import Maps
from beadctl.segmentation.bead_table import BeadTable
from beadctl.segmentation.instances import Found
from beadctl.segmentation.objects import Judged
from beadctl.segmentation.quality import LIMITS
from beadctl.segmentation.regions import SURE

# A bead that fills less of the ellipse of its second moments is poorly outlined; a disc fills it.
POOR_FILL = 0.88
# Values of the maps.
LEVELS = np.arange(256) / 255


@dataclass(frozen=True, eq=False)
class Seen:
    """What was found on a plane.

    Attributes
    ----------
    found, judged : Found and Judged
        The beads by the maps, and what the classifier said of them.
    table, labels : BeadTable, and ndarray of uint32, shape (H, W)
        The finished beads.
    maps : Maps
        Of the plane as it is stored.
    shrink : float
        Factor by which the plane was shrunk before the network saw it.
    has_larger : bool
        Whether the scale rule saw larger objects that it could not be sure of.
    """

    found: Found
    judged: Judged
    table: BeadTable
    labels: NDArray[np.uint32]
    maps: Maps
    shrink: float
    has_larger: bool

    @property
    def features(self) -> Floats:
        """What a reviewer is shown of the plane, (len(REVIEW_FEATURES),).

        These are the logarithm of the count; by how much more and fewer there are at other thresholds, how
        many the classifier is unsure of, both relative to the count, and the share of objects that it left
        out; the logarithm of the number of basins a bead; of the confidence the mean and the lowest tenth;
        the share of beads that touch others; of the diameters, in pixels of the network's input, the
        logarithm of the median, and of the logarithms the median and the root mean square of the deviations;
        how far beads fill the ellipse of their second moments, and the share of those that do poorly; the
        logarithm of the aspect ratio, median and highest tenth; the share of the plane that beads cover; the
        mean probability, its share outside beads and how undecided it is, and the share outside of pixels
        above one half; the same two of the marker map; the factor of the scale; and whether larger objects
        were seen.
        """
        count, table = len(self.table), self.table
        least = max(count, LIMITS.fewest)
        gone = int(self.judged.gone.sum())
        probability, marker = self._levels("probability"), self._levels("marker")
        return np.array(
            (
                math.log1p(count),
                (self.found.most - self.found.count) / least,
                (self.found.count - self.found.fewest) / least,
                self.judged.unsure / least,
                gone / max(count + gone, 1),
                math.log((self.found.basins + 1) / (count + 1)),
                *_confidence(table),
                float(table.clump.mean()) if count else 0.0,
                *_sizes(table, self.shrink),
                *_shapes(table),
                float(probability[1].sum() / probability.sum()),
                float(probability.sum(axis=0) @ LEVELS / probability.sum()),
                *_outside_and_undecided(probability),
                float(probability[0, 128:].sum() / max(1, probability[:, 128:].sum())),
                *_outside_and_undecided(marker),
                math.log(self.shrink),
                float(self.has_larger),
            )
        )

    def _levels(self, name: str) -> NDArray[np.intp]:
        """Return how many pixels outside and inside of beads have each value of a map, (2, 256)."""
        plane = getattr(self.maps, name)
        number = np.zeros((2, 256), np.intp)
        if plane is None:
            return number
        for rows in scratch.bands(*plane.shape):
            inside = self.labels[rows] > 0
            number += np.bincount((plane[rows] + 256 * inside).ravel(), minlength=512).reshape(2, 256)
            scratch.release(plane, self.labels)
        return number


def _confidence(table: BeadTable) -> tuple[float, float]:
    """Return the mean and the lowest tenth; those of sure beads where there are none."""
    known = table.confidence[np.isfinite(table.confidence)]
    return (float(known.mean()), float(np.percentile(known, 10))) if len(known) else (SURE, SURE)


def _sizes(table: BeadTable, shrink: float) -> tuple[float, float, float]:
    """Return the logarithm of the median diameter, and two measures of the spread."""
    if not len(table):
        return 0.0, 0.0, 0.0
    sizes = np.log(table.diameter_px)
    middle = float(np.median(sizes))
    return middle - math.log(shrink), float(np.median(np.abs(sizes - middle))), float(sizes.std())


def _shapes(table: BeadTable) -> tuple[float, float, float, float]:
    """Return median fill and share of poor ones, and median and highest tenth of the log aspect ratio."""
    if not len(table):
        return 1.0, 0.0, 0.0, 0.0
    major, minor = (np.maximum(axis, 1.0) for axis in (table.major_axis_px, table.minor_axis_px))
    fill, aspect = table.area_px / (np.pi / 4 * major * minor), np.log(major / minor)
    poor = float((fill < POOR_FILL).mean())
    return float(np.median(fill)), poor, float(np.median(aspect)), float(np.percentile(aspect, 90))


def _outside_and_undecided(number: NDArray[np.intp]) -> tuple[float, float]:
    """Return the share of a map outside of beads, and the mean of 1 - p weighted by p."""
    light = number @ LEVELS
    total = max(float(light.sum()), 1.0)
    return float(light[0] / total), float(number.sum(axis=0) @ (LEVELS * (1 - LEVELS)) / total)
