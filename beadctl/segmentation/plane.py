"""One plane: turn, normalise, scale, network, label, artefacts, outline, measure, in this order.

`beadctl.segmentation.prediction` has the steps up to the network. They are apart from `label_plane`, so that
a run overlaps it with the network's next plane.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.images import STORED, Intensities, Pixels, intensities_of
from beadctl.model.perceptron import Floats
from beadctl.model.session import Model
from beadctl.segmentation import artefacts, gaps, half_contrast, instances, objects
from beadctl.segmentation.bead_table import BeadTable
from beadctl.segmentation.causes import Cause
from beadctl.segmentation.count_rule import Counted
from beadctl.segmentation.instances import Found
from beadctl.segmentation.measure import measure
from beadctl.segmentation.misfit import DIAMETER_MISFIT, misfits
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.prediction import (
    PredictedPlane,
    find_beads,
    measured_by_maps,
    outside_gaps,
    predict_plane,
)
from beadctl.segmentation.quality import doubt, flags, instability, threshold_range
from beadctl.segmentation.review import Seen
from beadctl.segmentation.surround import is_surrounded


@dataclass(frozen=True)
class Segmented:
    """A plane's beads.

    Attributes
    ----------
    labels : ndarray of uint32, shape (H, W)
        Label image.
    table : BeadTable
        One row of measurements a bead.
    filtered : int
        Beads that the filters left out; they are in neither.
    inside : ndarray of bool, shape (H, W), or None
        Where beads are counted; None for the whole plane.
    doubt : float or None
        Estimated probability that the count is off by more than a fifth; see
        `beadctl.segmentation.quality.doubt`. None where no network found the beads.
    quality : tuple of str
        What to know before the count is used; see `beadctl.segmentation.quality.flags`,
        `beadctl.segmentation.misfit` and `beadctl.segmentation.count_rule.Counted`.
    thresholds : tuple of int, or None
        Least and largest count over other thresholds; see `beadctl.segmentation.quality.threshold_range`.
    probability : ndarray of uint8, shape (H, W), or None
        The network's map, 0..255 for 0..1; None where no network found the beads.
    unlinked : Counted or None
        For a plane of a stack whose beads are linked first: which of its beads would be counted. Then the
        label image and the table have all of them.
    features : ndarray of float64, or None
        What a reviewer is shown of the plane; None where no network found the beads.
    """

    labels: NDArray[np.uint32]
    table: BeadTable
    filtered: int = 0
    inside: NDArray[np.bool_] | None = None
    doubt: float | None = 0.0
    quality: tuple[str, ...] = ()
    thresholds: tuple[int, int] | None = None
    probability: NDArray[np.uint8] | None = None
    unlinked: Counted | None = None
    features: Floats | None = None


def segment_plane(
    pixels: Pixels,
    model: Model,
    options: SegmentOptions,
    *,
    pixel_size_um: float | None = None,
) -> Segmented:
    """Find and measure the beads of a plane.

    Parameters
    ----------
    pixels : Pixels
        An opened plane.
    model : Model
        The opened model file.
    options : SegmentOptions
        How planes become beads.
    pixel_size_um : float, optional
        Edge of a pixel, um, where known.

    Raises
    ------
    ImageError
        If a diameter or an area is stated in um and the pixel size is unknown; or the pixels cannot be
        decoded.
    AnnotationError
        If the region has no pixel of the plane, or does not belong to a plane of this size.

    Examples
    --------
    >>> from beadctl.images import InMemory
    >>> from beadctl.model.session import DEFAULT_MODEL
    >>> y, x = np.mgrid[:64, :64]
    >>> disc = np.where((y - 30) ** 2 + (x - 30) ** 2 < 49, 40, 200).astype(np.uint8)
    >>> model = Model(DEFAULT_MODEL, "cpu")
    >>> len(segment_plane(InMemory(disc), model, SegmentOptions.of(model.facts)).table)
    1
    """
    predicted = predict_plane(pixels, model, options, pixel_size_um=pixel_size_um)
    image = pixels.read_all()
    return label_plane(predicted, image, options, pixel_size_um, intensities_of(pixels, image))


def label_plane(
    predicted: PredictedPlane,
    image: NDArray[Any],
    options: SegmentOptions,
    pixel_size_um: float | None = None,
    measured: Intensities | None = None,
) -> Segmented:
    """Turn the network's maps of a plane into beads.

    Parameters
    ----------
    predicted : PredictedPlane
        From `predict_plane`.
    image : ndarray, shape (H, W)
        The plane, in its own units.
    options, pixel_size_um
        As for `segment_plane`.
    measured : Intensities, optional
        What is measured of the plane; by default `image`.
    """
    options = options.in_px(pixel_size_um)
    missing = gaps.gaps_of(image)
    turned = None
    if missing is not None:
        # The beads were found before it was known which of them a gap cuts.
        turned = predicted.orientation.turned(missing)
        predicted = replace(predicted.unlabelled, maps=outside_gaps(predicted.maps, turned))
    found = predicted.found or find_beads(predicted.maps, options, predicted.shrink, turned)
    labels = _beads(predicted, found, image, turned)
    maps = predicted.maps.turned_back(predicted.orientation)
    stored = measured or Intensities(image)

    def measurements() -> BeadTable:
        return measure(
            labels,
            stored.values,
            maps.probability,
            maps.marker,
            saturated=stored.saturated,
            gaps=missing,
            pixel_size_um=pixel_size_um,
        )

    table = measurements()
    diameter_px = options.diameter.value if options.diameter else None
    misfit = diameter_px is not None and misfits(diameter_px, found, table, predicted.unshrunk)
    judged = objects.judged(table, options.classifier, diameter_px)
    if (gone := judged.gone).any():
        labels = instances.without(labels, gone)
        table = measurements()
    seen = Seen(found, judged, table, labels, maps, predicted.shrink, predicted.has_larger)
    features = seen.features
    doubted = doubt(features, options.reviewer, instability([found], len(table), judged.unsure))
    quality = flags(
        doubted,
        table,
        labels,
        stored.values,
        has_larger=predicted.has_larger,
        artefacts=int(gone.sum()),
    )
    counted = options.rule.counted(labels, table)
    thresholds = threshold_range(found, len(table), int(counted.kept.sum()))
    if not (options.link_z or counted.kept.all()):
        labels, table = instances.without(labels, ~counted.kept), table.only(counted.kept)
    inside = gaps.outside(missing, counted.inside)
    surround = Cause.SURROUND not in quality and is_surrounded(image, labels, inside)
    quality += (Cause.SURROUND,) * surround + (DIAMETER_MISFIT,) * misfit + counted.quality
    return Segmented(
        labels,
        table,
        counted.filtered,
        inside,
        doubted,
        quality,
        thresholds,
        maps.probability,
        counted if options.link_z else None,
        features,
    )


def _beads(
    predicted: PredictedPlane, found: Found, image: NDArray[Any], turned: NDArray[np.bool_] | None
) -> NDArray[np.uint32]:
    """Return the label image of all beads as the plane is stored; its gaps are turned like the maps."""
    maps, labels = predicted.maps, found.labels
    image = predicted.orientation.turned(image)
    table = predicted.table or measured_by_maps(labels, maps, turned)
    gone = artefacts.artefacts(labels, image, table)
    if gone.any():
        labels = instances.without(labels, gone)
    if predicted.normalisation:
        labels = half_contrast.at_half_contrast(labels, image, predicted.normalisation)
    if predicted.orientation == STORED:
        return labels
    return instances.renumbered(predicted.orientation.back(labels))
