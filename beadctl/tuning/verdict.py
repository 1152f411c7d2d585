"""What a tuning came to: in one line, in figures for programs, and in the facts of the model file."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from beadctl.dataset.manifest import TileRow
from beadctl.evaluation.comparison import Comparison, ImageScores, Verdict
from beadctl.model.metadata import ModelFacts
from beadctl.tuning.steps import THRESHOLDS, Tuned
from beadctl.words import number_of

WORDS = {
    Verdict.BETTER: "better than the default model",
    Verdict.UNCLEAR: "better than the default model, but not by more than chance may give",
    Verdict.NOT_BETTER: "NOT better than the default model",
}
ADVICE = {
    Verdict.BETTER: "",
    Verdict.UNCLEAR: "; more annotated images would tell",
    Verdict.NOT_BETTER: "; use the default model, or annotate more images; the file warns when it is used",
}


@dataclass(frozen=True, eq=False)
class Outcome:
    """A tuned model with the comparison that decides.

    Attributes
    ----------
    tuned : Tuned
        The model.
    folds : tuple of Tuned
        Those of a cross-validation, whose images decide together; empty without one.
    tiles : tuple of TileRow
        The manifest.
    """

    tuned: Tuned
    folds: tuple[Tuned, ...]
    tiles: tuple[TileRow, ...]

    @property
    def comparison(self) -> Comparison:
        """The comparison that decides: on the images of all folds, else on the held-out images."""
        if self.folds:
            return Comparison(tuple(image for fold in self.folds for image in fold.comparison.images))
        return self.tuned.comparison

    @property
    def where(self) -> str:
        """On what the models are compared, as words."""
        beads = f"with {number_of(self.comparison.beads, 'bead')}"
        if self.folds:
            return f"{number_of(len(self.comparison.images), 'image')} {beads}, in {len(self.folds)} folds"
        held = self.tuned.held
        seen = "" if held.split == "test" else " that also chose its epoch and thresholds"
        near = " of an image that it was also trained on" if held.are_tiles else ""
        return f"{held} {beads}{near}{' and' * bool(near and seen)}{seen}"

    def line(self, model: Path) -> str:
        """Return whether the model is better, with the figures of both."""
        found = self.comparison
        words, advice = WORDS[found.verdict], ADVICE[found.verdict]
        return f"{model}: {words} on {self.where}: {found.figures()}{advice}"

    def facts(self) -> ModelFacts:
        """Return the facts of the model file, with the comparison."""
        facts, found = self.tuned.model.facts, self.comparison
        compared = {
            "verdict": found.verdict.value,
            "compared_on_beads": found.beads,
            "compared_f1": found.model.instances.f1(0.5),
            "default_f1": found.default.instances.f1(0.5),
        }
        return replace(facts, validation=facts.validation | compared)

    def content(self) -> dict[str, Any]:
        """Return the outcome as plain values."""
        facts, found = self.tuned.model.facts, self.comparison
        names = (*THRESHOLDS, "min_area_px")
        return {
            "verdict": found.verdict.value,
            "compared_on": self.where,
            "beads": found.beads,
            "mistakes": dict(zip(("default", "tuned"), found.mistakes, strict=True)),
            "figures": {"default": found.default.figures(), "tuned": found.model.figures()},
            "images": [_image(one) for one in found.images],
            "folds": [_figures(fold.comparison) for fold in self.folds],
            "thresholds": {name: getattr(facts, name) for name in names},
            "epochs": self.tuned.run.epochs,
            "seconds": self.tuned.run.seconds,
            "device": self.tuned.run.device,
            "splits": {split: self.counts(split) for split in ("train", "val", "test")},
        }

    def counts(self, split: str) -> dict[str, int]:
        """Return the number of images, tiles and beads of a split of the tiles."""
        rows = [row for row in self.tiles if row.split == split]
        images = {row.source for row in rows}
        return {"images": len(images), "tiles": len(rows), "beads": sum(row.beads for row in rows)}


def _figures(comparison: Comparison) -> dict[str, Any]:
    return {"default": comparison.default.figures(), "tuned": comparison.model.figures()}


def _image(one: ImageScores) -> dict[str, Any]:
    return {"name": one.name, **_figures(Comparison((one,)))}
