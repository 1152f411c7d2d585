"""A model and the default model on the same annotated images: their scores, and whether it is better."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.annotations.sample import Sample
from beadctl.console import Messages
from beadctl.evaluation.scoring import Prediction, Score, predict, score
from beadctl.images import ReadOptions
from beadctl.model import metadata
from beadctl.model.session import Model
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.plane import label_plane
from beadctl.words import number_of

# Probability of so few mistakes by chance, of two equal models, below which one is called better.
CHANCE = 0.025

# Names and figures of `Score.figures` that a table of a comparison has.
FIGURES = {
    "F1@0.5": "f1@0.50",
    "centre F1": "centre_f1",
    "Jaccard": "jaccard",
    "count error": "count_mape",
    "count bias": "count_bias",
    "beads found": "count",
}


class Verdict(StrEnum):
    """Whether a model is better than the default model."""

    BETTER = "better"
    UNCLEAR = "not clearly better"
    NOT_BETTER = metadata.NOT_BETTER


@dataclass(frozen=True)
class ImageScores:
    """An image with its scores by the default model and by the model in question."""

    name: str
    default: Score
    model: Score


@dataclass(frozen=True)
class Comparison:
    """The scores of a model and of the default model, image by image."""

    images: tuple[ImageScores, ...]

    @property
    def default(self) -> Score:
        """The score of the default model on all images together."""
        return sum((image.default for image in self.images), Score())

    @property
    def model(self) -> Score:
        """The score of the model on all images together."""
        return sum((image.model for image in self.images), Score())

    @property
    def beads(self) -> int:
        """Number of annotated beads."""
        return sum(self.model.counts.true)

    @property
    def mistakes(self) -> tuple[int, int]:
        """Number of `mistakes` of the default model and of the model, over all images."""
        pairs = [(mistakes(image.default), mistakes(image.model)) for image in self.images]
        return sum(before for before, _ in pairs), sum(after for _, after in pairs)

    @property
    def verdict(self) -> Verdict:
        """Whether the model is better: by its F1, with no more mistakes, and by more than chance.

        Chance is the conditional test of two Poisson numbers [1]_: were both models equally good, each
        mistake would be the one's or the other's with probability 1/2.

        References
        ----------
        .. [1] Przyborowski & Wilenski, "Homogeneity of results in testing samples from Poisson series",
           Biometrika 31, 1940, pp. 313-323.
        """
        from scipy.special import bdtr

        before, after = self.mistakes
        if after > before or self.model.instances.f1(0.5) <= self.default.instances.f1(0.5):
            return Verdict.NOT_BETTER
        chance = float(bdtr(after, before + after, 0.5))
        return Verdict.BETTER if chance < CHANCE else Verdict.UNCLEAR

    def rows(self) -> list[tuple[str, float, float]]:
        """Return the figures of `FIGURES`, and the mistakes, of the default model and of the model."""
        before, after = self.default.figures(), self.model.figures()
        rows = [(name, before[key], after[key]) for name, key in FIGURES.items()]
        return [*rows, ("mistakes", *self.mistakes)]

    def figures(self) -> str:
        """Return the chief figures of both as text, to follow the name of the model."""
        texts = [
            f"F1@0.5 {one.instances.f1(0.5):.3f}, count error {one.counts.mape:.1%}, "
            f"{number_of(wrong, 'mistake')}"
            for one, wrong in zip((self.model, self.default), reversed(self.mistakes), strict=True)
        ]
        return f"{texts[0]}; default model {texts[1]}"


def mistakes(scored: Score) -> int:
    """Return how many beads are missed or false, by the matches at IoU 0.5.

    A bead that is found in the wrong place or shape is missed and false, and one mistake: of a single image
    it is the larger one of both numbers.

    Examples
    --------
    >>> truth, found = np.eye(2, dtype=np.uint32), np.zeros((2, 2), np.uint32)
    >>> mistakes(score(truth, found))
    1
    """
    matches = scored.instances.at(0.5)
    return max(matches.fp, matches.fn)


@dataclass(frozen=True, eq=False)
class Answered:
    """An annotated image with what both models find in it.

    Attributes
    ----------
    name : str
        Of the image.
    image, truth : ndarray, shape (H, W)
        Pixels of the plane, and its true label image, uint32.
    default, model : ndarray of uint32, shape (H, W)
        Label images of the default model and of the model in question.
    """

    name: str
    image: NDArray[Any]
    truth: NDArray[np.uint32]
    default: NDArray[np.uint32]
    model: NDArray[np.uint32]

    @property
    def scores(self) -> ImageScores:
        """How both score."""
        return ImageScores(self.name, score(self.truth, self.default), score(self.truth, self.model))


def compare(
    samples: Sequence[Sample],
    default: Model,
    model: Model,
    messages: Messages,
    *,
    read: ReadOptions = ReadOptions(),
    on_image: Callable[[Answered], object] = lambda _: None,
) -> Comparison:
    """Segment annotated images with the default model and another one, as `segment` does, and score both.

    Parameters
    ----------
    samples : sequence of Sample
        The images.
    default, model : Model
        The models; their numbers are those of their files.
    messages : Messages
        Shows progress.
    read : ReadOptions
        How image files are read.
    on_image : callable
        Takes each image with what was found.

    Raises
    ------
    ImageError, AnnotationError
        If an image or its annotation cannot be read.
    ModelError
        If a model fails.
    """
    found = []
    with messages.progress(len(samples), "comparing with the default model") as advance:
        for sample in samples:
            prediction, before = _answer(sample, default, read)
            _, after = _answer(sample, model, read)
            answered = Answered(sample.name, prediction.image, prediction.truth, before, after)
            found.append(answered.scores)
            on_image(answered)
            advance()
    return Comparison(tuple(found))


def _answer(sample: Sample, model: Model, read: ReadOptions) -> tuple[Prediction, NDArray[np.uint32]]:
    """Return a sample with its truth, and the label image that a model gives of it."""
    options = SegmentOptions.of(model.facts, read=read)
    prediction = predict(sample, model, options)
    found = label_plane(prediction.predicted, prediction.image, options, prediction.pixel_size_um)
    return prediction, found.labels
