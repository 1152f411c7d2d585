"""Choose the thresholds that turn maps into beads, on annotated images."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from beadctl.annotations.sample import Sample
from beadctl.console import Messages
from beadctl.errors import AnnotationError, SettingsError
from beadctl.evaluation.calibration_fit import CalibrationFit, Numbers, fits
from beadctl.evaluation.joins import CrossFitted, Joins
from beadctl.evaluation.objects import Objects, fitted
from beadctl.evaluation.scoring import Prediction, predict
from beadctl.files import write_bytes
from beadctl.model.classifier import ObjectClassifier
from beadctl.model.metadata import ModelFacts, require_onnx, require_writable, with_facts
from beadctl.model.session import Model
from beadctl.segmentation.options import SegmentOptions
from beadctl.words import number_of


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
    rule                           likewise, and tried without the joiner that takes their place
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
    )
    rule: tuple[tuple[str, ...], ...] = (("marker_threshold",), ("marker_rise",))
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
        tried = (*self.together, *self.rule)
        return sum(len(self.combinations(names)) for names in tried) + len(self.raised)


GRID = SearchGrid()
# Share of the chosen least confidence from which on objects are shown to the classifier's fit.
CANDIDATES = 0.8


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
) -> Calibrated:
    """Choose numbers by count error and F1 at IoU 0.5.

    The values of each group of names in `grid.together` are tried in all combinations, and every smallest
    area with each, while the other numbers stay. Only a lower cost replaces a number, so that one without
    influence keeps its value. A joiner, which was fitted to many more images, is left out only where the rule
    that it takes the place of is surely better, by F1: with one bead divided for two that are joined, a count
    is right too. At the end the numbers in `grid.raised` are raised where that changes the cost, as far as it
    adds no more than `grid.slack`: many scenes do not show whether doubtful beads count, and other images
    hold more artefacts.

    Parameters
    ----------
    predictions : sequence of Prediction
        Truth and maps of each image.
    start : Numbers
        Those of the model file, or others to start from.
    on_step : callable
        Called `grid.steps` times, for a progress bar.
    grid : SearchGrid
        Values to try.
    classifier : ObjectClassifier, optional
        That of the model file, by which beads are found here as they will be.
    """
    areas_px = sorted({*grid.min_area_px, start.min_area_px})

    def fit_of(numbers: Numbers) -> CalibrationFit:
        return fits(predictions, numbers, (numbers.min_area_px,), classifier)[numbers.min_area_px]

    def lowest(
        best: Numbers, fit: CalibrationFit, groups: Iterable[Sequence[str]]
    ) -> tuple[Numbers, CalibrationFit]:
        for names in groups:
            for values in grid.combinations(names):
                tried = dataclasses.replace(best, **values)
                for area_px, candidate in fits(predictions, tried, areas_px, classifier).items():
                    if candidate.cost < fit.cost - grid.equal_cost:
                        best, fit = dataclasses.replace(tried, min_area_px=area_px), candidate
                on_step()
        return best, fit

    before = fit_of(start)
    best, fit = lowest(start, before, grid.together)
    if best.joiner is None:
        best, fit = lowest(best, fit, grid.rule)
    else:
        ruled = dataclasses.replace(best, joiner=None)
        ruled, by_rule = lowest(ruled, fit_of(ruled), grid.rule)
        if by_rule.is_surely_better(fit):
            best, fit = ruled, by_rule
    for name, steps in grid.raised:
        higher = [value for value in getattr(grid, name) if value > getattr(best, name)]
        for value in reversed(higher[:steps]):
            tried = dataclasses.replace(best, **{name: value})
            candidate = fit_of(tried)
            added = candidate.cost - fit.cost
            if abs(added) > grid.equal_cost and added <= grid.slack:
                best, fit = tried, candidate
                break
        on_step()
    return Calibrated(best, fit, before)


def with_own_joiner(
    calibrated: Calibrated,
    predictions: Sequence[Prediction],
    classifier: ObjectClassifier | None = None,
) -> Calibrated:
    """Fit a joiner to the images, and return the numbers with it where it is surely better.

    Each image is judged by a joiner that was fitted to images of which it is none, and so is the fit that is
    returned. Where there are too few neighbours, or is no marker map, the numbers are as before.

    Parameters
    ----------
    calibrated, predictions, classifier
        What `calibrate` returned, and what it was given.
    """
    numbers = calibrated.numbers
    options = SegmentOptions(**vars(numbers))
    if any(one.predicted.maps.marker is None for one in predictions):
        return calibrated
    met = [Joins.of(one.predicted, one.truth, options, seed) for seed, one in enumerate(predictions)]
    found = CrossFitted.of(met)
    if found is None:
        return calibrated
    area_px = numbers.min_area_px
    each = [
        fits([one], dataclasses.replace(numbers, joiner=joiner), (area_px,), classifier)[area_px]
        for one, joiner in zip(predictions, found.unseen, strict=True)
    ]
    fit = CalibrationFit(tuple(one.f1 for one in each), float(np.mean([one.count_error for one in each])))
    if not fit.is_surely_better(calibrated.fit):
        return calibrated
    return dataclasses.replace(calibrated, numbers=dataclasses.replace(numbers, joiner=found.joiner), fit=fit)


def calibrated_model(
    model: Model,
    samples: Sequence[Sample],
    options: SegmentOptions,
    out: Path,
    *,
    overwrite: bool,
    messages: Messages,
    by_rule: bool = False,
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
    by_rule : bool
        Whether touching beads are to be told apart by the rule of the peaks alone, and the file has no
        joiner; else one is fitted to the images if it is surely better.

    Raises
    ------
    SettingsError
        If a diameter or a filter is set: a file's numbers are for images of which neither is stated.
    OutputError
        If `out` exists, does not end in ``.onnx``, or cannot be written.
    MissingExtraError
        If the package onnx is not installed.
    ImageError, AnnotationError
        If a sample cannot be read, or none has an annotated bead.
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
    if not any(one.truth.any() for one in predictions):
        # Thresholds that find nothing would be the best.
        raise AnnotationError(
            f"--calibrate: {number_of(len(samples), 'image')} without an annotated bead; annotate some"
        )
    start = Numbers.of(options, model.facts.min_area_px)
    if by_rule:
        start = dataclasses.replace(start, joiner=None)
    with messages.progress(GRID.steps, "calibrating") as advance:
        calibrated = calibrate(predictions, start, advance, classifier=model.facts.classifier)
    if not by_rule:
        calibrated = with_own_joiner(calibrated, predictions, model.facts.classifier)
    chosen = vars(calibrated.numbers)
    for name, value in chosen.items():
        if name != "joiner":
            messages.info(f"{name} = {value:g} (was {getattr(start, name):g})")
    if calibrated.numbers.joiner != start.joiner:
        messages.info(
            "touching beads are told apart by a joiner fitted to these images"
            if calibrated.numbers.joiner
            else "touching beads are told apart by marker_rise: better here than by the model's joiner"
        )
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
