"""Measure precision and recall of a model by density, of which the intervals of counts are made."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from beadctl.annotations.sample import Sample
from beadctl.console import Messages
from beadctl.counting.detection import (
    HALF,
    Band,
    band_of,
    combined_interval,
    detection_interval,
    field_interval,
)
from beadctl.counting.interval import CONFIDENCE, Interval
from beadctl.errors import AnnotationError, SettingsError
from beadctl.evaluation.scoring import predict, score
from beadctl.files import write_bytes
from beadctl.model.metadata import require_onnx, require_writable, with_facts
from beadctl.model.session import Model
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.plane import Segmented, label_plane
from beadctl.segmentation.quality import DOUBTFUL
from beadctl.words import form, number_of


@dataclass(frozen=True)
class BandLimits:
    """Limits of the bands.

    ==============  =============  ======  ==============================================================
    name            value          unit    why
    ==============  =============  ======  ==============================================================
    covered_below   0.02, 0.1, 1   share   of a field that beads cover: alone, seldom and often in contact
    doubt           0.1            0..1    above, a model errs several times as often, at any density
    least_fields    30             fields  a band of fewer is left out: its widening would be chance
    widening        1, 50          factor  least, at which the parts are as they are, and largest
    ==============  =============  ======  ==============================================================
    """

    covered_below: tuple[float, ...] = (0.02, 0.1, 1.0)
    doubt: float = 0.1
    least_fields: int = 30
    widening: tuple[float, float] = (1.0, 50.0)


LIMITS = BandLimits()


@dataclass(frozen=True)
class Observed:
    """An annotated field as a model counts it.

    Attributes
    ----------
    true, count, matched : int
        True beads, beads found, and of these those that are matched with a true one by their centres.
    thresholds : Interval
        Least and largest count over other thresholds.
    covered, flagged : float and bool
        Share of the field that the found beads cover, and whether the count is doubtful.
    doubt : float
        Estimated probability that the count is off by more than a fifth.
    """

    true: int
    count: int
    matched: int
    thresholds: Interval
    covered: float
    flagged: bool
    doubt: float = 0.0

    @classmethod
    def of(cls, truth: NDArray[np.uint32], segmented: Segmented) -> "Observed":
        """Compare a segmented plane with its true label image, shape (H, W)."""
        found = score(truth, segmented.labels)
        low, high = segmented.thresholds or (len(segmented.table),) * 2
        return cls(
            found.counts.true[0],
            len(segmented.table),
            found.centres.tp,
            Interval(low, high),
            float(segmented.table.area_px.sum() / truth.size),
            DOUBTFUL in segmented.quality,
            segmented.doubt or 0.0,
        )

    def band_of(self, bands: Sequence[Band]) -> Band | None:
        """Return the band of the field, or None if the model has none for it."""
        return band_of(bands, flagged=self.flagged, covered=self.covered, doubt=self.doubt)


def fitted_bands(fields: Sequence[Observed]) -> tuple[Band, ...]:
    """Sum up fields by density, those with doubt about the count apart, and find the widening of each band.

    Fields with a quality flag are a band, and so are those below it from a `BandLimits.doubt` on, where there
    are enough of them.

    The widening is the least factor from 1 on at which the combined intervals hold the mean in 95 % of the
    fields of the band. The mean of a field with so many true beads is not known; its distribution is
    Jeffreys' posterior of a Poisson mean, ``gamma(true + 1/2)``, of which an interval holds a known share.

    Parameters
    ----------
    fields : sequence of Observed
        Of the kinds that are to be counted; beads at random places.
    """
    unflagged = [one for one in fields if not one.flagged]
    unsure = sum(one.doubt >= LIMITS.doubt for one in unflagged)
    doubt_below = LIMITS.doubt if unsure >= LIMITS.least_fields else 1.0
    sure = [one for one in unflagged if one.doubt < doubt_below]
    groups = [
        (False, below, doubt_below, [one for one in sure if _within(one.covered, above, below)])
        for above, below in itertools.pairwise((0.0, *LIMITS.covered_below))
    ]
    groups.append((False, 1.0, 1.0, [one for one in unflagged if one.doubt >= doubt_below]))
    groups.append((True, 1.0, 1.0, [one for one in fields if one.flagged]))
    return tuple(_band(*group) for group in groups if len(group[-1]) >= LIMITS.least_fields)


def model_with_bands(
    model: Model,
    samples: Sequence[Sample],
    options: SegmentOptions,
    out: Path,
    *,
    overwrite: bool,
    messages: Messages,
) -> Model:
    """Write a model file with its figures by density on annotated images, and open it on the same device.

    Parameters
    ----------
    model, options : Model and SegmentOptions
        The model, and how planes become beads: with its own numbers.
    samples : sequence of Sample
        Annotated images that chose neither weights nor thresholds.
    out, overwrite : Path and bool
        The file to write, ``.onnx``, and whether to replace it if it exists.
    messages : Messages
        Prints progress and the figures.

    Raises
    ------
    SettingsError
        If beads are found with other numbers than the model's own, or filtered.
    OutputError
        If `out` exists, does not end in ``.onnx``, or cannot be written.
    AnnotationError
        If there are too few images for any band, or a sample cannot be read.
    MissingExtraError
        If the package onnx is not installed.
    ImageError
        If a sample cannot be read.
    """
    require_writable(out, "--bands", overwrite=overwrite)
    if options.filters.names or not options.has_numbers_of(model.facts):
        raise SettingsError("--bands: takes the model's own numbers; leave out thresholds and sizes")
    require_onnx()
    with messages.progress(len(samples), "measuring") as advance:
        fields = list(observed(samples, model, options, advance))
    bands = fitted_bands(fields)
    if not bands:
        least = f"{LIMITS.least_fields} images of one density"
        few = f"{number_of(len(fields), 'image')} {form(len(fields), 'is', 'are')}"
        raise AnnotationError(f"{few} too few for --bands; it takes {least}")
    facts = dataclasses.replace(model.facts, bands=bands)
    write_bytes(out, with_facts(model.path.read_bytes(), facts))
    if left := len(fields) - sum(band.fields for band in bands):
        messages.warn(f"images left out, in bands of fewer than {LIMITS.least_fields}: {left}")
    return Model(out, model.asked_device, model.threads)


def observed(
    samples: Sequence[Sample], model: Model, options: SegmentOptions, on_field: Callable[[], None]
) -> Iterator[Observed]:
    """Yield the annotated images as a model counts them; parameters are those of `model_with_bands`."""
    for sample in samples:
        prediction = predict(sample, model, options)
        found = label_plane(prediction.predicted, prediction.image, options, prediction.pixel_size_um)
        yield Observed.of(prediction.truth, found)
        on_field()


def _within(covered: float, above: float, below: float) -> bool:
    return above <= covered < below or (covered >= below >= 1)


def _band(flagged: bool, covered_below: float, doubt_below: float, fields: Sequence[Observed]) -> Band:
    true, found, matched = (
        sum(getattr(one, name) for one in fields) for name in ("true", "count", "matched")
    )
    band = Band(flagged, covered_below, len(fields), true, found, matched, 0.0, doubt_below)
    detections = [detection_interval(one.count, band) for one in fields]

    def excess(widening: float) -> float:
        shares = [_held(one, ends, widening) for one, ends in zip(fields, detections, strict=True)]
        return float(np.mean(shares)) - CONFIDENCE

    least, widening = LIMITS.widening
    if excess(least) >= 0:
        widening = least
    elif excess(widening) > 0:
        widening = float(optimize.brentq(excess, least, widening, xtol=1e-3))
    return dataclasses.replace(band, widening=math.ceil(widening * 100) / 100)


def _held(field: Observed, detection: Interval, widening: float) -> float:
    """Return the probability that the combined interval of a field holds its mean."""
    ends = combined_interval(field.count, field_interval(field.count, detection, field.thresholds, widening))
    shape = field.true + HALF
    return float(special.gammainc(shape, ends.high) - special.gammainc(shape, ends.low))
