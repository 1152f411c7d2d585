"""How well the numbers that turn maps into beads do on annotated images."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from beadctl.evaluation.metrics import matched_labels
from beadctl.evaluation.scoring import Prediction
from beadctl.model.classifier import ObjectClassifier
from beadctl.model.joiner import Joiner
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.plane import label_plane

# Probability by chance below which a gain counts as sure. With 0.1, wrong decisions between joiner and rule,
# by 2 to 8 images of a set, cost the default model at most 0.002 of F1 in the other images.
CHANCE = 0.1


@dataclass(frozen=True)
class Numbers:
    """The arguments of `beadctl.segmentation.instances.find_beads`; the area in the network's own pixels.

    Without a joiner, `marker_threshold` and `marker_rise` tell the parts of a bead from touching beads.
    """

    threshold: float
    marker_threshold: float
    marker_rise: float
    min_confidence: float
    min_area_px: int
    joiner: Joiner | None = None

    @classmethod
    def of(cls, options: SegmentOptions, min_area_px: int) -> "Numbers":
        """Return those of the options, with the least area of the model file."""
        own = {field.name: getattr(options, field.name) for field in dataclasses.fields(cls)}
        return cls(**own | {"min_area_px": min_area_px})


@dataclass(frozen=True)
class CalibrationFit:
    """How well a set of numbers does.

    Attributes
    ----------
    f1s : tuple of float
        For each image the F1 of beads matched at IoU above 0.5, 1 where there are none.
    count_error : float
        Mean over images of |found - true| / max(found, true, 1): 0 to 1. Unlike the relative error it is
        symmetric in over- and undercounting, and bounded for an image without beads.
    """

    f1s: tuple[float, ...]
    count_error: float

    @property
    def f1(self) -> float:
        """The mean over images.

        Not a ratio of sums as elsewhere, because one crowded image must not choose the numbers for all
        others.
        """
        return float(np.mean(self.f1s))

    @property
    def cost(self) -> float:
        """What is minimised: (1 - F1) + count error, 0 to 2."""
        return 1 - self.f1 + self.count_error

    def is_surely_better(self, other: "CalibrationFit") -> bool:
        """Return whether the F1 of the same images is higher by Student's test; never by one image alone."""
        gains = np.subtract(self.f1s, other.f1s)
        if len(gains) < 2:
            return False
        least = special.stdtrit(len(gains) - 1, 1 - CHANCE) * gains.std(ddof=1) / np.sqrt(len(gains))
        return bool(gains.mean() > least)


def fits(
    predictions: Iterable[Prediction],
    numbers: Numbers,
    areas_px: Sequence[int],
    classifier: ObjectClassifier | None = None,
) -> dict[int, CalibrationFit]:
    """Label every image once, without a smallest area, and return the fit for each of `areas_px`."""
    true_counts: list[int] = []
    found_and_hits: dict[int, list[tuple[int, int]]] = {area: [] for area in areas_px}
    options = SegmentOptions(**vars(numbers) | {"min_area_px": 1}, classifier=classifier)
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
        result[area_px] = CalibrationFit(tuple(f1.tolist()), float(errors.mean()))
    return result
