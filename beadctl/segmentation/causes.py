"""What may be the cause of doubt about a plane, so that a user knows what to change."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import find_boundaries

from beadctl.segmentation.bead_table import BeadTable


class Cause(StrEnum):
    """What a user can change, or has to know."""

    DENSE = "dense"
    SMALL_BEADS = "small-beads"
    LARGE_OBJECTS = "large-objects"
    ARTEFACTS = "artefacts"
    SATURATED = "saturated"
    LOW_CONTRAST = "low-contrast"
    OUT_OF_FOCUS = "out-of-focus"
    SURROUND = "surround"


@dataclass(frozen=True)
class CauseLimits:
    """Limits of the causes.

    ===========  =====  ========  =====================================================================
    name         value  unit      why
    ===========  =====  ========  =====================================================================
    artefacts    0.5    share     of the objects that were found are no beads
    dense        0.5    share     of the beads touch others
    small_px     6      px        median diameter below which beads are too small
    saturated    0.5    share     of the beads have the camera's top grey level
    contrast     3      ratio     median contrast over the noise; the network was trained down to 1.6
    blur         0.14   diameter  blur of the edges as `blur_px` finds it; that of 0.2 diameters in truth
    surround     0.1    share     of the plane is of one value, its lowest or highest
    edge_px      2048   px        edge of the middle of the plane that is looked at
    ===========  =====  ========  =====================================================================
    """

    artefacts: float = 0.5
    dense: float = 0.5
    small_px: float = 6.0
    saturated: float = 0.5
    contrast: float = 3.0
    blur: float = 0.14
    surround: float = 0.1
    edge_px: int = 2048


LIMITS = CauseLimits()


def causes(
    table: BeadTable,
    labels: NDArray[np.uint32],
    image: NDArray[Any],
    *,
    has_larger: bool = False,
    artefacts: int = 0,
) -> Iterator[Cause]:
    """Yield what may be wrong with a plane.

    Parameters
    ----------
    table, labels : BeadTable, and ndarray of shape (H, W)
        The beads of the plane; the table has their intensities.
    image : ndarray, shape (H, W)
        The plane, in its own units.
    has_larger : bool
        Whether the scale rule saw larger objects that it could not be sure of.
    artefacts : int
        Objects that were left out because they are no beads.

    Examples
    --------
    >>> from beadctl.segmentation.measure import measure
    >>> image = np.zeros((40, 40), np.uint8)
    >>> image[10:14, 10:14] = 255
    >>> labels = (image > 0).astype(np.uint32)
    >>> [one.value for one in causes(measure(labels, image), labels, image)]
    ['small-beads', 'saturated', 'surround']
    """
    if has_larger:
        yield Cause.LARGE_OBJECTS
    if artefacts > LIMITS.artefacts * (artefacts + len(table)):
        yield Cause.ARTEFACTS
    if len(table):
        if table.clump.mean() > LIMITS.dense:
            yield Cause.DENSE
        if np.median(table.diameter_px) < LIMITS.small_px:
            yield Cause.SMALL_BEADS
        if table.saturated.mean() > LIMITS.saturated:
            yield Cause.SATURATED
    labels, image = _middle(labels), _middle(image)
    if _constant_share(image) > LIMITS.surround:
        yield Cause.SURROUND
    contrast = _contrast(table, labels, image)
    if np.isfinite(contrast):
        if contrast < LIMITS.contrast * noise(image):
            yield Cause.LOW_CONTRAST
        elif blur_px(labels, image, contrast) > LIMITS.blur * np.median(table.diameter_px):
            yield Cause.OUT_OF_FOCUS


def noise(image: NDArray[Any]) -> float:
    """Return the standard deviation of the noise of an image, (H, W), in its own units.

    From the median of the second difference along both axes, which slopes and curved backgrounds do not
    change (J. Immerkaer, "Fast noise variance estimation", CVIU 64, 1996, with the median for the mean).
    Differences with a pixel that is not finite are left aside. 0 for an image that has no other, such as one
    of fewer than 3 rows or columns.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> round(noise(rng.normal(50, 4, (99, 99))), 1)
    4.0
    """
    rows = np.diff(np.where(np.isfinite(image), image.astype(np.float64), np.nan), 2, axis=0)
    both = np.abs(np.diff(rows, 2, axis=1))
    both = both[~np.isnan(both)]
    # The mask's weights have a sum of squares of 36; the median of a normal variable's size is 0.6745 sigma.
    return float(np.median(both)) / (6 * 0.6745) if both.size else 0.0


def blur_px(labels: NDArray[np.uint32], image: NDArray[Any], contrast: float) -> float:
    """Return the standard deviation of the blur of the beads' edges, px; 0 without an edge.

    The edge of a disc of a contrast c that is blurred by s has a slope of ``c / (s sqrt(2 pi))``.

    Parameters
    ----------
    labels, image : ndarray, shape (H, W)
        The beads and the plane.
    contrast : float
        Of the beads, in the units of the image. Blur over a fifth of a bead lowers it, so is underestimated.
    """
    known = np.isfinite(image)
    edges = find_boundaries(labels, mode="inner") & known  # type: ignore[no-untyped-call]
    if not edges.any():
        return 0.0
    # The derivative's own smoothing of 1 px is taken off.
    slope = float(np.median(ndimage.gaussian_gradient_magnitude(_completed(image, known), 1.0)[edges]))
    if not slope:
        return 0.0
    return float(np.sqrt(max((contrast / slope) ** 2 / (2 * np.pi) - 1.0, 0.0)))


def _completed(image: NDArray[Any], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return an image with each pixel that is not known as the nearest one that is."""
    if known.all():
        return image.astype(np.float32)
    nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    return np.asarray(image[tuple(nearest)], np.float32)


def _contrast(table: BeadTable, labels: NDArray[np.uint32], image: NDArray[Any]) -> float:
    """Return the contrast of the median bead with what is no bead; nan without one or the other."""
    known = np.isfinite(image)
    background = image[(labels == 0) & known]
    levels = table.median_intensity.copy()
    # A bead with a pixel without a value has no intensity; its other pixels have.
    part = np.where(known & np.isin(labels, table.label[~np.isfinite(levels)]), labels, 0)
    if len(some := np.unique(part[part > 0])):
        levels[np.searchsorted(table.label, some)] = ndimage.median(image, part, some)
    levels = levels[np.isfinite(levels)]
    if not levels.size or not background.size:
        return float("nan")
    return float(abs(np.median(levels) - np.median(background)))


def _constant_share(image: NDArray[Any]) -> float:
    """Return the share of pixels that with their neighbours have the image's lowest or highest value.

    Pixels that are not finite are left aside.
    """
    known = np.isfinite(image)
    values = image[known]
    ends = {values.min(), values.max()} if values.size else set()
    inside = np.ones((3, 3), bool)
    whole = [
        ndimage.binary_erosion((image == end) | ~known, inside, border_value=1)[known].mean() for end in ends
    ]
    return float(max(whole, default=0.0)) if len(ends) > 1 else 0.0


def _middle(plane: NDArray[Any]) -> NDArray[Any]:
    """Return the middle of a plane."""
    top, left = (max(0, (length - LIMITS.edge_px) // 2) for length in plane.shape)
    return plane[top : top + LIMITS.edge_px, left : left + LIMITS.edge_px]
