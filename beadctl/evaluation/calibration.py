"""Choose the thresholds that turn maps into beads, on annotated images."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.annotations.sample import Sample
from beadctl.console import Messages
from beadctl.errors import SettingsError
from beadctl.evaluation.metrics import matched_labels
from beadctl.evaluation.objects import Objects, fitted
from beadctl.evaluation.scoring import Prediction, predict
from beadctl.files import write_bytes
from beadctl.model.classifier import ObjectClassifier
from beadctl.model.joiner import Joiner
from beadctl.model.metadata import ModelFacts, require_onnx, require_writable, with_facts
from beadctl.model.session import Model
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.plane import label_plane


@dataclass(frozen=True)
class SearchGrid:
    """Values that calibration tries, and the order of the search.

    ================ ============= ================================================================
    name             value         why
    ================ ============= ================================================================
    threshold        0.3 ... 0.7   around even odds
    min_confidence   0 ... 0.8     0 keeps every bead
    marker_threshold 0.15 ... 0.65 low finds small beads, high parts touching ones
    marker_rise      0.03 ... 0.2  low parts touching beads, high ignores noise
    min_area_px      1 ... 40 px   tried with every combination of the others
    together                       names whose values are combined; the mean probability of a bead
                                   depends on the threshold of its outline
    raised                         names raised at the end, by how many values at most; not the
                                   area, since beads of 3 px exist
    slack            0.005         cost that each raise may add
    equal_cost       1e-9          costs closer than this differ by rounding alone
    ================ ============= ================================================================
    """

    threshold: tuple[float, ...] = (0.3, 0.4, 0.5, 0.6, 0.7)
    min_confidence: tuple[float, ...] = (0.0, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
    marker_threshold: tuple[float, ...] = (0.15, 0.25, 0.35, 0.45, 0.55, 0.65)
    marker_rise: tuple[float, ...] = (0.03, 0.05, 0.07, 0.1, 0.14, 0.2)
    min_area_px: tuple[int, ...] = (1, 2, 4, 6, 9, 12, 16, 20, 25, 30, 40)
    together: tuple[tuple[str, ...], ...] = (
        (),
        ("threshold", "min_confidence"),
        ("marker_threshold",),
        ("marker_rise",),
    )
    raised: tuple[tuple[str, int], ...] = (("min_confidence", 8), ("marker_rise", 1))
    slack: float = 0.005
    equal_cost: float = 1e-9

    def combinations(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Return every combination of the values of `names`; one that is empty for no names."""
        values = itertools.product(*(getattr(self, name) for name in names))
        return [dict(zip(names, chosen, strict=True)) for chosen in values]

    @property
    def steps(self) -> int:
        """How often `calibrate` calls `on_step`."""
        return sum(len(self.combinations(names)) for names in self.together) + len(self.raised)


GRID = SearchGrid()
# Share of the chosen least confidence from which on objects are shown to the classifier's fit.
CANDIDATES = 0.8


@dataclass(frozen=True)
class Numbers:
    """The arguments of `beadctl.segmentation.instances.find_beads`; the area in the network's own pixels."""

    threshold: float
    marker_threshold: float
    marker_rise: float
    min_confidence: float
    min_area_px: int


@dataclass(frozen=True)
class CalibrationFit:
    """How well a set of numbers does.

    Attributes
    ----------
    f1 : float
        Mean over images of the F1 of beads matched at IoU above 0.5, 1 where there are none; not a ratio of
        sums as elsewhere, because one crowded image must not choose the numbers for all others.
    count_error : float
        Mean over images of |found - true| / max(found, true, 1): 0 to 1. Unlike the relative error it is
        symmetric in over- and undercounting, and bounded for an image without beads.
    """

    f1: float
    count_error: float

    @property
    def cost(self) -> float:
        """What is minimised: (1 - F1) + count error, 0 to 2."""
        return 1 - self.f1 + self.count_error


@dataclass(frozen=True)
class Calibrated:
    """The chosen numbers, their fit, and the fit of the numbers before."""

    numbers: Numbers
    fit: CalibrationFit
    before: CalibrationFit


def calibrate(
    predictions: Sequence[Prediction],
    start: Numbers,
    on_step: Callable[[], None] = lambda: None,
    grid: SearchGrid = GRID,
    classifier: ObjectClassifier | None = None,
    joiner: Joiner | None = None,
) -> Calibrated:
    """Choose numbers by count error and F1 at IoU 0.5.

    The values of each group of names in `grid.together` are tried in all combinations, and every smallest
    area with each, while the other numbers stay. Only a lower cost replaces a number, so that one without
    influence keeps its value. At the end the numbers in `grid.raised` are raised where that changes the cost,
    as far as it adds no more than `grid.slack`: many scenes do not show whether doubtful beads count, and
    other images hold more artefacts.

    Parameters
    ----------
    predictions : sequence of Prediction
        Truth and maps of each image.
    start : Numbers
        Those of the model file.
    on_step : callable
        Called `grid.steps` times, for a progress bar.
    grid : SearchGrid
        Values to try.
    classifier, joiner : ObjectClassifier and Joiner, optional
        Those of the model file, by which beads are found here as they will be.
    """
    areas_px = sorted({*grid.min_area_px, start.min_area_px})
    before = _fits(predictions, start, (start.min_area_px,), classifier, joiner)[start.min_area_px]
    best, fit = start, before
    for names in grid.together:
        for values in grid.combinations(names):
            tried = dataclasses.replace(best, **values)
            for area_px, candidate in _fits(predictions, tried, areas_px, classifier, joiner).items():
                if candidate.cost < fit.cost - grid.equal_cost:
                    best, fit = dataclasses.replace(tried, min_area_px=area_px), candidate
            on_step()
    for name, steps in grid.raised:
        higher = [value for value in getattr(grid, name) if value > getattr(best, name)]
        for value in reversed(higher[:steps]):
            tried = dataclasses.replace(best, **{name: value})
            candidate = _fits(predictions, tried, (tried.min_area_px,), classifier, joiner)[tried.min_area_px]
            added = candidate.cost - fit.cost
            if abs(added) > grid.equal_cost and added <= grid.slack:
                best, fit = tried, candidate
                break
        on_step()
    return Calibrated(best, fit, before)


def _fits(
    predictions: Iterable[Prediction],
    numbers: Numbers,
    areas_px: Sequence[int],
    classifier: ObjectClassifier | None,
    joiner: Joiner | None,
) -> dict[int, CalibrationFit]:
    """Label every image once, without a smallest area, and return the fit for each of `areas_px`."""
    true_counts: list[int] = []
    found_and_hits: dict[int, list[tuple[int, int]]] = {area: [] for area in areas_px}
    options = SegmentOptions(
        **(dataclasses.asdict(numbers) | {"min_area_px": 1}), classifier=classifier, joiner=joiner
    )
    for prediction in predictions:
        shrink = prediction.predicted.shrink
        # Without the labels that the scale rule made: they are of other numbers.
        labels = label_plane(prediction.predicted.unlabelled, prediction.image, options).labels
        areas = np.bincount(labels.ravel())[1:]
        hit: NDArray[np.bool_] = np.zeros(len(areas), bool)
        hit[matched_labels(prediction.truth, labels)[:, 1] - 1] = True
        true_counts.append(int(np.count_nonzero(np.unique(prediction.truth))))
        for area_px, counts in found_and_hits.items():
            large = areas >= area_px * shrink**2
            counts.append((int(large.sum()), int((large & hit).sum())))
    true = np.array(true_counts)
    result = {}
    for area_px, counts in found_and_hits.items():
        found, hits = np.array(counts).reshape(-1, 2).T
        total = found + true
        f1 = np.where(total > 0, 2 * hits / np.maximum(total, 1), 1.0)
        errors = np.abs(found - true) / np.maximum(np.maximum(found, true), 1)
        result[area_px] = CalibrationFit(float(f1.mean()), float(errors.mean()))
    return result


def calibrated_model(
    model: Model,
    samples: Sequence[Sample],
    options: SegmentOptions,
    out: Path,
    *,
    overwrite: bool,
    messages: Messages,
) -> Model:
    """Write a model file with the numbers that suit annotated images best, and open it on the same device.

    Parameters
    ----------
    model, options : Model and SegmentOptions
        The model whose numbers are replaced, and its current numbers, where the search starts.
    samples : sequence of Sample
        Annotated images to choose by.
    out, overwrite : Path and bool
        The file to write, ``.onnx``, and whether to replace it if it exists.
    messages : Messages
        Prints progress and the chosen numbers.

    Raises
    ------
    SettingsError
        If a diameter or a filter is set: a file's numbers are for images of which neither is stated.
    OutputError
        If `out` exists, does not end in ``.onnx``, or cannot be written.
    MissingExtraError
        If the package onnx is not installed.
    ImageError, AnnotationError
        If a sample cannot be read.
    """
    require_writable(out, "--calibrate", overwrite=overwrite)
    sizes = (*(("--diameter",) if options.diameter else ()), *options.filters.names)
    if sizes:
        raise SettingsError(f"--calibrate: chooses for beads of any size; leave out {', '.join(sizes)}")
    require_onnx()
    predictions = []
    with messages.progress(len(samples), "predicting") as advance:
        for sample in samples:
            predictions.append(predict(sample, model, options))
            advance()
    start = Numbers(
        options.threshold,
        options.marker_threshold,
        options.marker_rise,
        options.min_confidence,
        model.facts.min_area_px,
    )
    with messages.progress(GRID.steps, "calibrating") as advance:
        calibrated = calibrate(
            predictions, start, advance, classifier=model.facts.classifier, joiner=options.joiner
        )
    chosen = dataclasses.asdict(calibrated.numbers)
    for name, value in chosen.items():
        messages.info(f"{name} = {value:g} (was {getattr(start, name):g})")
    validation = model.facts.validation | {
        "calibrated_on": len(samples),
        "calibrated_f1": calibrated.fit.f1,
        "calibrated_count_error": calibrated.fit.count_error,
    }
    # Figures by density were those of the thresholds before.
    facts = dataclasses.replace(model.facts, **chosen, validation=validation, bands=())
    facts = _with_classifier(facts, predictions, messages)
    write_bytes(out, with_facts(model.path.read_bytes(), facts))
    return Model(out, model.asked_device, model.threads)


def _with_classifier(facts: ModelFacts, predictions: Sequence[Prediction], messages: Messages) -> ModelFacts:
    """Return the facts with a classifier of objects, where there are enough of them to fit one.

    It is fitted to objects of a lower confidence too, which are more often no beads.
    """
    lower = dataclasses.replace(facts, min_confidence=round(CANDIDATES * facts.min_confidence, 3))
    options = SegmentOptions.of(lower)
    with messages.progress(len(predictions), "measuring objects") as advance:
        images = []
        for prediction in predictions:
            images.append(Objects.of(prediction, options))
            advance()
    classifier = fitted(images)
    if classifier is None:
        return facts
    messages.info(f"objects less likely than {classifier.least:g} to be beads are left out")
    return dataclasses.replace(facts, classifier=classifier)
