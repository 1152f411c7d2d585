"""The report of a tuning as one HTML page."""

from collections.abc import Iterable
from pathlib import Path

from beadctl.evaluation import worst
from beadctl.evaluation.comparison import mistakes
from beadctl.results import html
from beadctl.training.run_folder import CURVE
from beadctl.tuning import cross_validation
from beadctl.tuning.folder import MODEL, RUN
from beadctl.tuning.verdict import Outcome
from beadctl.words import number_of

FIGURE_COLUMNS = ("figure", "default model", "tuned model")
IMAGE_COLUMNS = (
    "image",
    "beads",
    "default found",
    "tuned found",
    "default F1@0.5",
    "tuned F1@0.5",
    "default mistakes",
    "tuned mistakes",
)
NOTE = (
    "F1@0.5: of the beads, matched at an intersection over union above 0.5. Count error: mean over the images"
    " of |found - true| / true, or / 1 without a true bead. Mistakes: beads missed or false; one in the wrong"
    " place counts once."
)


def write(path: Path, outcome: Outcome) -> None:
    """Write the page beside the folder of the training; errors are those of `beadctl.results.html.write`."""
    html.write(path, "beadctl tune", _sections(path.parent, outcome))


def _sections(out: Path, outcome: Outcome) -> Iterable[str]:
    found = outcome.comparison
    yield html.lead(outcome.line(Path(MODEL)))
    yield html.section("Figures", html.table(FIGURE_COLUMNS, _figures(outcome)), NOTE)
    if outcome.folds:
        rows = cross_validation.table([fold.comparison for fold in outcome.folds])
        yield html.section(cross_validation.TITLE, html.table(cross_validation.COLUMNS, rows))
    images = [
        (
            one.name,
            *map(str, (one.model.counts.true[0], one.default.counts.found[0], one.model.counts.found[0])),
            *(f"{score.instances.f1(0.5):.3f}" for score in (one.default, one.model)),
            *(str(mistakes(score)) for score in (one.default, one.model)),
        )
        for one in found.images
    ]
    yield html.section("Images", html.table(IMAGE_COLUMNS, images))
    tunings = outcome.folds or (outcome.tuned,)
    places = sorted((place for one in tunings for place in one.places), key=lambda place: -place.mistakes)
    pictures = html.column(place.picture() for place in places[: worst.MOST])
    yield html.section("Where the tuned model is most wrong", pictures, f"{worst.LEGEND}.")
    curve = out / RUN / CURVE
    if curve.exists():
        picture = html.Picture("learning curve", curve.read_bytes())
        yield html.section("Training", html.image(picture), _training(outcome))
    splits = [
        (split, *(str(count) for count in outcome.counts(split).values()))
        for split in ("train", "val", "test")
    ]
    yield html.section("Images and tiles", html.table(("split", "images", "tiles", "beads"), splits))
    thresholds = [(name, f"{value:g}") for name, value in outcome.content()["thresholds"].items()]
    yield html.section("Thresholds", html.table(("name", "value"), thresholds), _calibration(outcome))


def _figures(outcome: Outcome) -> list[tuple[str, ...]]:
    """Return the figures of both models as cells under `FIGURE_COLUMNS`."""
    rows = outcome.comparison.rows()
    return [(name, *(f"{value:.4g}" for value in values)) for name, *values in rows]


def _training(outcome: Outcome) -> str:
    run = outcome.tuned.run
    best = f"; best epoch {run.record.epoch}" if run.record else ""
    return f"{number_of(run.epochs, 'epoch')} in {run.seconds / 60:.1f} minutes on {run.device}{best}."


def _calibration(outcome: Outcome) -> str:
    counts = outcome.counts("val")
    images, beads = number_of(counts["images"], "image"), number_of(counts["beads"], "bead")
    return f"Chosen on the validation images: {images}, {beads} in tiles."
