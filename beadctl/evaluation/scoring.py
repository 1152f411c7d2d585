"""Score a model file on annotated images: counts summed over all images, then one ratio."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.annotations.canvas import Remark
from beadctl.annotations.pairing import PairingRule
from beadctl.annotations.sample import Sample
from beadctl.console import Messages, fail
from beadctl.dataset import manifest
from beadctl.dataset.samples import find_samples
from beadctl.errors import AnnotationError, BeadctlError, ImageError, ModelError, SettingsError
from beadctl.evaluation.metrics import (
    CountErrors,
    InstanceCounts,
    MatchCounts,
    centre_counts,
    instance_counts,
    pixel_counts,
)
from beadctl.files import write_csv, write_json
from beadctl.images import only_plane
from beadctl.model.session import Model
from beadctl.segmentation.measure import measure
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.plane import label_plane
from beadctl.segmentation.prediction import PredictedPlane, predict_plane

# Annotated centres of small beads are no more accurate than this.
MIN_TOLERANCE_PX = 3.0

COLUMNS = (
    "image",
    "status",
    "true_count",
    "count",
    "jaccard",
    "dice",
    "precision",
    "recall",
    "f1@0.50",
    "ap@0.50",
    "pq",
    "centre_f1",
    "reason",
)


@dataclass(frozen=True)
class Score:
    """Counts of one image, or summed over many; ratios are taken of the sums.

    Attributes
    ----------
    pixels, centres : MatchCounts
        Foreground pixels; and beads matched by their centres within half a typical true diameter, which is
        meaningful for annotated centres too, whose discs have no true outline.
    instances : InstanceCounts
        Beads matched at IoU 0.50 to 0.90.
    counts : CountErrors
        Numbers of beads.
    """

    pixels: MatchCounts = field(default_factory=MatchCounts)
    instances: InstanceCounts = field(default_factory=InstanceCounts)
    centres: MatchCounts = field(default_factory=MatchCounts)
    counts: CountErrors = field(default_factory=CountErrors)

    def __add__(self, other: "Score") -> "Score":
        return Score(*(getattr(self, part.name) + getattr(other, part.name) for part in fields(self)))

    def figures(self) -> dict[str, float | int]:
        """Return every metric by its name; nan where it is undefined, and all ratios of no image are."""
        figures: dict[str, float | int] = {
            "images": len(self.counts.true),
            "true_count": sum(self.counts.true),
            "count": sum(self.counts.found),
            "jaccard": self.pixels.jaccard,
            "dice": self.pixels.f1,
            "precision": self.pixels.precision,
            "recall": self.pixels.recall,
        }
        for hundredths in range(50, 91, 10):
            threshold = hundredths / 100
            figures[f"f1@{threshold:.2f}"] = self.instances.f1(threshold)
            figures[f"ap@{threshold:.2f}"] = self.instances.ap(threshold)
        figures |= {
            "mean_ap": self.instances.mean_ap,
            "pq": self.instances.pq(0.5),
            "centre_f1": self.centres.f1,
            "count_mae": self.counts.mae,
            "count_mape": self.counts.mape,
            "count_bias": self.counts.bias,
            "r2": self.counts.r2,
        }
        if not self.counts.true:
            figures |= {name: math.nan for name, value in figures.items() if isinstance(value, float)}
        return figures


@dataclass(frozen=True)
class Scored:
    """One image of an evaluation: its score, or None and the reason."""

    sample: Sample
    score: Score | None
    reason: str = ""
    remarks: tuple[Remark, ...] = ()

    def cells(self) -> dict[str, Any]:
        """Return the image's row of ``eval.csv``."""
        row: dict[str, Any] = dict.fromkeys(COLUMNS)
        row |= {"image": self.sample.name, "status": "ok" if self.score else "failed", "reason": self.reason}
        if self.score:
            figures = self.score.figures()
            row |= {key: figures[key] for key in COLUMNS if key in figures}
        return row


def samples(
    images: Path | None,
    masks: Path | None,
    rule: PairingRule,
    messages: Messages,
    *,
    tiles: Path,
    split: str,
) -> Sequence[Sample]:
    """Return the images to score: annotated ones where they are given, else one split of the tiles.

    Parameters
    ----------
    images, masks, rule, messages
        As for `beadctl.dataset.samples.find_samples`.
    tiles, split : Path and str
        Folder of tiles, used where no images are given, and which: ``train``, ``val`` or ``test``.

    Raises
    ------
    SettingsError
        If images are given without masks.
    AnnotationError
        If the split is empty, or nothing can be paired.
    """
    if images is None:
        chosen = [tile for tile in manifest.samples(manifest.read_manifest(tiles)) if tile.split == split]
        if not chosen:
            remedy = "choose another --split, or tile more images"
            raise AnnotationError(f"{tiles}: has no {split} tiles; {remedy}")
        return chosen
    if masks is None:
        raise SettingsError(f"{images}: give the folder of its masks too, or neither to score the tiles")
    return find_samples(images, masks, rule, messages)


def evaluate(
    samples: Sequence[Sample], model: Model, options: SegmentOptions, messages: Messages
) -> list[Scored]:
    """Segment each image with the model file as `segment` does, and score it against its truth, in order.

    The reason why an image cannot be scored is printed as an error too.

    Parameters
    ----------
    samples : sequence of Sample
        Annotated images.
    model, options : Model and SegmentOptions
        As for `beadctl.segmentation.plane.segment_plane`.
    messages : Messages
        Shows progress.

    Raises
    ------
    ModelError
        If the model fails.
    """
    scored = []
    left_out = kept = 0
    with messages.progress(len(samples), "scoring") as advance:
        for sample in samples:
            try:
                prediction = predict(sample, model, options)
                size_um = prediction.pixel_size_um
                found = label_plane(prediction.predicted, prediction.image, options, size_um)
                left_out, kept = left_out + found.filtered, kept + len(found.table)
                scored.append(
                    Scored(sample, score(prediction.truth, found.labels), remarks=prediction.remarks)
                )
            except ModelError:
                raise
            except BeadctlError as error:
                scored.append(Scored(sample, None, str(error)))
            advance()
    for image in scored:
        if image.score is None:
            fail(image.reason)
    if not any(image.score for image in scored):
        messages.warn("no image could be scored; the figures are unknown")
    if options.filters.names:
        messages.info(options.filters.note(left_out, kept))
    return scored


def result(model: Model, scored: Sequence[Scored]) -> dict[str, Any]:
    """Return the content of ``eval.json``: the metrics over all scored images, and the model."""
    total = sum((image.score for image in scored if image.score), Score())
    return {"model": str(model.path), "model_sha256": model.sha256, "figures": total.figures()}


def rows(result: Mapping[str, Any]) -> list[tuple[str, float | int | None]]:
    """Return the metrics of a `result`: name and value, None where it is unknown."""
    return [
        (name, None if isinstance(value, float) and math.isnan(value) else value)
        for name, value in result["figures"].items()
    ]


def score(truth: NDArray[np.uint32], found: NDArray[np.uint32]) -> Score:
    """Score a label image.

    Parameters
    ----------
    truth, found : ndarray of uint32, shape (H, W)
        Label images.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    instances = instance_counts(truth, found)
    true, predicted = measure(truth), measure(found)
    tolerance_px = max(MIN_TOLERANCE_PX, float(np.median(true.diameter_px)) / 2) if len(true) else 0.0
    true_yx, found_yx = (np.column_stack((beads.y_px, beads.x_px)) for beads in (true, predicted))
    centres = centre_counts(true_yx, found_yx, tolerance_px)
    matched = instances.tp[0]
    counts = CountErrors((matched + instances.fn[0],), (matched + instances.fp[0],))
    return Score(pixel_counts(truth, found), instances, centres, counts)


@dataclass(frozen=True)
class Prediction:
    """The network's maps of a sample, and its truth.

    Attributes
    ----------
    image, truth : ndarray, shape (H, W)
        The plane, in its own units, and its true label image, uint32.
    predicted, remarks : PredictedPlane and tuple of Remark
        The maps, of the same size, and remarks on the annotation.
    pixel_size_um : float or None
        Edge of a pixel, um, where known.
    """

    image: NDArray[Any]
    truth: NDArray[np.uint32]
    predicted: PredictedPlane
    remarks: tuple[Remark, ...] = ()
    pixel_size_um: float | None = None


def predict(sample: Sample, model: Model, options: SegmentOptions) -> Prediction:
    """Run the network over a sample and read its truth.

    Parameters
    ----------
    sample : Sample
        The annotated image.
    model, options
        As for `evaluate`.

    Raises
    ------
    ImageError, AnnotationError
        If the image or the annotation cannot be read, or their sizes differ.
    """
    plane = only_plane(sample.image, options.read)
    with plane.open() as pixels:
        truth = sample.load((plane.height, plane.width))
        size_um = plane.pixel_size_um
        try:
            predicted = predict_plane(pixels, model, options, pixel_size_um=size_um, levels=sample.levels)
        except ImageError as error:
            raise ImageError(f"{sample.image}: {str(error).removeprefix(f'{sample.image}: ')}") from None
        image = pixels.read_all()
    return Prediction(image, truth.labels, predicted, truth.remarks, size_um)


def write_scores(folder: Path, scored: Sequence[Scored], result: Mapping[str, object]) -> None:
    """Write ``eval.csv``, one row an image, and ``eval.json``."""
    write_csv(folder / "eval.csv", COLUMNS, (image.cells() for image in scored), rounded=True)
    write_json(folder / "eval.json", result)
