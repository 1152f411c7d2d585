"""What a finished run is worth against the default model, on the same validation tiles."""

from collections.abc import Sequence
from pathlib import Path

from beadctl.annotations.sample import Sample
from beadctl.console import Messages
from beadctl.dataset import manifest
from beadctl.evaluation import worst
from beadctl.evaluation.comparison import Verdict, compare
from beadctl.model.session import DEFAULT_MODEL, Model
from beadctl.training.device import cpu_threads
from beadctl.training.preparation import Prepared
from beadctl.training.trained_model import TrainedModel
from beadctl.words import form, number_of

WORST = "worst_tiles.png"
# Validation tiles that are compared: evenly spread ones where there are more.
MOST_TILES = 64

ADVICE = {
    Verdict.BETTER: "the model of this run is better",
    Verdict.UNCLEAR: "the model of this run is better, but not by more than chance may give",
    Verdict.NOT_BETTER: "the default model is as good or better here",
}


def tell_worth(run: Prepared, best: Path, messages: Messages) -> None:
    """Say how the best epoch of a run on tiles compares with the default model, and draw the worst tiles.

    Both find the beads as `segment` does, with the scale that suits each tile. The tiles are those that chose
    the epoch, so that the figures of the run are a little optimistic.

    Parameters
    ----------
    run : Prepared
        The run; nothing is done for one on simulated scenes.
    best : Path
        Its best checkpoint.
    messages : Messages
        Takes the comparison.
    """
    if run.tiles is None:
        return
    held = validation_samples(run.tiles)
    chosen = spread(held, MOST_TILES)
    default = Model(DEFAULT_MODEL, "auto", run.options.threads)
    with cpu_threads(run.options.threads):
        model = TrainedModel(best, run.options.device, run.options.threads)
        places = worst.WorstPlaces("this run")
        found = compare(chosen, default, model, messages, on_image=places.add)
        worst.write(run.out / WORST, places.places)
    many = f"{len(chosen)} of {len(held)}" if len(chosen) < len(held) else f"{len(held)}"
    tiles, beads = form(len(held), "tile"), number_of(found.beads, "bead")
    messages.info(f"on {many} validation {tiles} with {beads}: this run {found.figures()}")
    messages.info(f"{ADVICE[found.verdict]}; worst tiles: {run.out / WORST}")


def validation_samples(tiles: Path) -> Sequence[Sample]:
    """Return the validation tiles of a folder."""
    return [one for one in manifest.samples(manifest.read_manifest(tiles)) if one.split == "val"]


def spread(samples: Sequence[Sample], most: int) -> Sequence[Sample]:
    """Return at most so many samples, evenly spread over all, of which there is at least one."""
    return samples[:: -(-len(samples) // most)]
