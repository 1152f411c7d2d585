"""The steps from tiles to a calibrated model file with its comparison; each is that of a command."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from beadctl.annotations.sample import Sample
from beadctl.console import Messages
from beadctl.console.stopping import stoppable
from beadctl.dataset.manifest import read_manifest
from beadctl.evaluation.calibration import calibrated_model
from beadctl.evaluation.comparison import Comparison, compare
from beadctl.evaluation.worst import Place, WorstPlaces
from beadctl.images import ReadOptions
from beadctl.model.session import DEFAULT_MODEL, Model
from beadctl.segmentation.options import SegmentOptions
from beadctl.training.export import ExportOptions, export
from beadctl.training.preparation import Asked, Prepared, prepared
from beadctl.training.records import RunResult
from beadctl.training.run import learn_shown, say_end, say_start
from beadctl.training.run_folder import LAST
from beadctl.training.start import DEFAULT
from beadctl.tuning.held_out import HeldOut, compared_split

THRESHOLDS = ("threshold", "marker_threshold", "marker_rise", "min_confidence")


@dataclass(frozen=True, eq=False)
class Tuned:
    """A tuned model.

    Attributes
    ----------
    run : RunResult
        Its training.
    model : Model
        The calibrated model file in the folder of the run, opened.
    held : HeldOut
        Images that it was compared on.
    comparison : Comparison
        With the default model on these.
    places : tuple of Place
        Where it makes the most mistakes in these.
    """

    run: RunResult
    model: Model
    held: HeldOut
    comparison: Comparison
    places: tuple[Place, ...]


def tuned_on(
    samples: Sequence[Sample], asked: Asked, options: ExportOptions, read: ReadOptions, messages: Messages
) -> Tuned:
    """Train on tiles from the default model, export, calibrate, and compare with the default model.

    A run that was stopped goes on; the other steps, which are short, are done again. The model is calibrated
    on the validation images and compared on the test images, or on the validation images where no test image
    has beads.

    Parameters
    ----------
    samples, read : sequence of Sample and ReadOptions
        The images that the tiles were cut from, and how they are read.
    asked : Asked
        The training, with the folders of tiles and run; it starts from the default model.
    options : ExportOptions
        Facts of the model file.
    messages : Messages
        Takes the progress.

    Raises
    ------
    Interrupted
        If a first Ctrl-C, SIGTERM or SIGUSR1 ended the training.
    BeadctlError
        As the steps raise it.
    """
    assert asked.tiles is not None
    assert asked.out is not None
    result = _trained(asked, asked.out, messages)
    rows, threads = read_manifest(asked.tiles), asked.options.threads
    device = "cpu" if asked.options.device == "cpu" else "auto"
    exported = asked.out / "exported.onnx"
    report = export(asked.out, exported, options, overwrite=True)
    messages.detail(f"{exported}: {report}")
    model, default = (Model(path, device, threads) for path in (exported, DEFAULT_MODEL))
    chosen_on = HeldOut.of(samples, rows, "val", read)
    messages.info(f"calibrating on {chosen_on}, from the thresholds of the default model")
    # Few images do not show what other images hold: their thresholds stay where these tell no difference.
    numbers = {name: getattr(default.facts, name) for name in THRESHOLDS}
    model = calibrated_model(
        model,
        chosen_on.samples,
        SegmentOptions.of(replace(model.facts, **numbers), read=chosen_on.read),
        asked.out / "calibrated.onnx",
        overwrite=True,
        messages=messages,
    )
    held = HeldOut.of(samples, rows, compared_split(rows), read)
    worst = WorstPlaces("tuned model")
    comparison = compare(held.samples, default, model, messages, read=held.read, on_image=worst.add)
    return Tuned(result, model, held, comparison, tuple(worst.places))


def ready(asked: Asked, out: Path, messages: Messages) -> Prepared:
    """Return the training of a tuning into a folder, from the default model; what is there goes on."""
    options = replace(asked.options, resume=(out / LAST).exists())
    numbers = {**asked.numbers, "simulate": 0}
    return prepared(replace(asked, numbers=numbers, start=DEFAULT, out=out, options=options), messages)


def _trained(asked: Asked, out: Path, messages: Messages) -> RunResult:
    run = ready(asked, out, messages)
    say_start(run, messages)
    with stoppable() as stop:
        result = learn_shown(run, messages, stop.made)
    if result.stopped == "interrupted":
        raise stop.error
    say_end(result, run, messages)
    return result
