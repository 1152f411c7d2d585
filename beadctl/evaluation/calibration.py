"""Choosing the numbers that turn maps into beads, on images whose truth is known."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from beadctl.annotations.sample import Sample
from beadctl.console import Messages
from beadctl.errors import OutputError
from beadctl.evaluation.metrics import matched
from beadctl.evaluation.scoring import Prediction, predict
from beadctl.files import require_free, write_bytes
from beadctl.model.session import Model
from beadctl.segmentation.plane import PredictedPlane, SegmentOptions, label_plane

CHOICES: dict[str, tuple[float, ...]] = {
    "threshold": (0.3, 0.4, 0.5, 0.6, 0.7),
    "min_confidence": (0.0, 0.2, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65),
    "marker_threshold": (0.15, 0.25, 0.35, 0.45, 0.55, 0.65),
    "marker_rise": (0.03, 0.05, 0.07, 0.1, 0.14, 0.2),
}
# What is tried together while the rest stands. A bead's mean probability falls with the threshold that its
# outline follows, so that neither of the first two can be chosen for itself.
TOGETHER = (("min_area_px",), ("threshold", "min_confidence"), ("marker_threshold",), ("marker_rise",))
# What is raised at the end, in this order, by so many of its choices at most. Whether doubtful beads count is
# all the same on many scenes, and the images of others hold more that is none: as few as can be. Not the
# area: beads of 3 px are beads.
CAUTIOUS = {"min_confidence": len(CHOICES["min_confidence"]), "marker_rise": 1}
SLACK = 0.005
TRIES = 1 + 5 * 8 + 6 + 6 + len(CAUTIOUS)
SPECKS_PX = (1, 2, 4, 6, 9, 12, 16, 20, 25, 30, 40)


@dataclass(frozen=True)
class Numbers:
    """The numbers that `beadctl.segmentation.instances.label` takes; the area in the network's own pixels."""

    threshold: float
    marker_threshold: float
    marker_rise: float
    min_confidence: float
    min_area_px: int


@dataclass(frozen=True)
class CalibrationFit:
    """How well some numbers do.

    Attributes
    ----------
    f1 : float
        Mean over images of the F1 of beads matched at IoU above 0.5; 1 for an image without beads in which
        none is found. A mean, where scores elsewhere are ratios of sums: one crowded image must not choose
        the numbers for all others.
    count_error : float
        Mean over images of |found - true| / max(found, true, 1): 0 to 1. Unlike the usual relative error it
        takes twice as many beads for as bad as half as many, and an image without a bead, where every speck
        would count as 100 %, does not outweigh all others.
    """

    f1: float
    count_error: float

    @property
    def cost(self) -> float:
        """What is minimised: what is missing to a perfect F1, and the error of the count."""
        return 1 - self.f1 + self.count_error


@dataclass(frozen=True)
class Calibrated:
    """The numbers that were chosen, how well they do, and how well those before did."""

    numbers: Numbers
    fit: CalibrationFit
    before: CalibrationFit


def calibrate(
    seen: Sequence[Prediction], start: Numbers, on_try: Callable[[], None] = lambda: None
) -> Calibrated:
    """Choose numbers by count error and F1 at IoU 0.5, never by pixels.

    The numbers that hang together are tried in all combinations of their `CHOICES` while the others stand;
    areas are tried with each. A choice must do better to be taken, so that numbers on which nothing hangs
    stay as they were. At the end the `CAUTIOUS` numbers are raised where that costs something, but each no
    more than `SLACK`: other images hold surprises, and on those what divides or invents beads readily does
    worse than what is slow to do so.

    Parameters
    ----------
    seen : sequence of Prediction
        Truth and maps of each image.
    start : Numbers
        Those of the model file.
    on_try : callable
        Called after each set of numbers.

    Returns
    -------
    Calibrated
    """
    areas_px = tuple(sorted({*SPECKS_PX, start.min_area_px}))
    before = _fits(seen, start, (start.min_area_px,))[start.min_area_px]
    best, fit = start, before
    for names in TOGETHER:
        values = [CHOICES.get(name, (start.min_area_px,)) for name in names]
        for chosen in itertools.product(*values):
            tried = _with(best, dict(zip(names, chosen, strict=True)))
            for area_px, found in _fits(seen, tried, areas_px).items():
                if found.cost < fit.cost - 1e-9:
                    best, fit = dataclasses.replace(tried, min_area_px=area_px), found
            on_try()
    for name, steps in CAUTIOUS.items():
        higher = [value for value in sorted(CHOICES.get(name, areas_px)) if value > getattr(best, name)]
        for value in reversed(higher[:steps]):
            tried = _with(best, {name: value})
            found = _fits(seen, tried, (tried.min_area_px,))[tried.min_area_px]
            if abs(found.cost - fit.cost) > 1e-9 and found.cost <= fit.cost + SLACK:
                best, fit = tried, found
                break
        on_try()
    return Calibrated(best, fit, before)


def _with(numbers: Numbers, changes: dict[str, float]) -> Numbers:
    return dataclasses.replace(numbers, **changes)  # type: ignore[arg-type]


def _fits(seen: Iterable[Prediction], numbers: Numbers, areas_px: Sequence[int]) -> dict[int, CalibrationFit]:
    """Label every image once and tell how each smallest area would do."""
    true_counts: list[int] = []
    kept: dict[int, list[tuple[int, int]]] = {area: [] for area in areas_px}
    options = SegmentOptions(
        threshold=numbers.threshold,
        marker_threshold=numbers.marker_threshold,
        marker_rise=numbers.marker_rise,
        min_confidence=numbers.min_confidence,
        min_area_px=1,
    )
    for one in seen:
        # Labels of other numbers do not serve.
        maps = PredictedPlane(one.predicted.maps, one.predicted.shrink)
        labels = label_plane(maps, one.image, options).labels
        areas = np.bincount(labels.ravel())[1:]
        hit: NDArray[np.bool_] = np.zeros(len(areas), bool)
        hit[matched(one.truth, labels, 0.5)[:, 1] - 1] = True
        true_counts.append(int(np.count_nonzero(np.unique(one.truth))))
        for area_px, counts in kept.items():
            large = areas >= area_px * one.predicted.shrink**2
            counts.append((int(large.sum()), int((large & hit).sum())))
    true = np.array(true_counts)
    fits = {}
    for area_px, counts in kept.items():
        found, hits = np.array(counts).reshape(-1, 2).T
        total = found + true
        f1 = np.where(total > 0, 2 * hits / np.maximum(total, 1), 1.0)
        errors = np.abs(found - true) / np.maximum(np.maximum(found, true), 1)
        fits[area_px] = CalibrationFit(float(f1.mean()), float(errors.mean()))
    return fits


def calibrated_model(
    model: Model,
    samples: Sequence[Sample],
    options: SegmentOptions,
    out: Path,
    *,
    overwrite: bool,
    messages: Messages,
) -> Model:
    """Write a model file with the numbers that suit samples best, and open it.

    Parameters
    ----------
    model : Model
        The model whose numbers are replaced.
    samples : sequence of Sample
        Annotated images to choose by.
    options : SegmentOptions
        How planes become beads now; the choice starts there.
    out : Path
        The file to write, ``.onnx``.
    overwrite : bool
        Replace it if it exists.
    messages : Messages
        Takes progress and the numbers chosen.

    Raises
    ------
    OutputError
        If `out` exists, does not end in ``.onnx``, or cannot be written.
    ImageError, AnnotationError
        If a sample cannot be read.
    """
    require_free(out.parent, (out.name,), overwrite)
    if out.suffix != ".onnx":
        raise OutputError(f"{out}: a model file ends in .onnx; give --calibrate FILE.onnx")
    with messages.progress(len(samples), "predicting") as progress:
        seen = []
        for sample in samples:
            seen.append(predict(sample, model, options))
            progress.advance(progress.task_ids[0])
    start = Numbers(
        options.threshold,
        options.marker_threshold,
        options.marker_rise,
        options.min_confidence,
        model.facts.min_area_px,
    )
    with messages.progress(TRIES, "calibrating") as progress:
        found = calibrate(seen, start, lambda: progress.advance(progress.task_ids[0]))
    for name, value in dataclasses.asdict(found.numbers).items():
        messages.info(f"{name} = {value:g} (was {getattr(start, name):g})")
    validation = model.facts.validation | {
        "calibrated_on": len(seen),
        "calibrated_f1": found.fit.f1,
        "calibrated_count_error": found.fit.count_error,
    }
    facts = dataclasses.replace(model.facts, **dataclasses.asdict(found.numbers), validation=validation)
    write_bytes(out, facts.within(model.path.read_bytes()))
    return Model(out, model.asked_device, model.threads)
