"""``beadctl tune`` below the command line: all steps, the files, and the line that says what it came to."""

from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from beadctl import lock
from beadctl.annotations.sample import Sample
from beadctl.console import Form, Messages, print_rows
from beadctl.console.stopping import POLL_S, stoppable
from beadctl.dataset.folds import fold_splits
from beadctl.dataset.manifest import MANIFEST, read_manifest
from beadctl.dataset.tile_writer import Cut, cut_with_progress
from beadctl.dataset.tiling import TilingOptions
from beadctl.errors import AnnotationError, ExitCode, ImageError, TrainingError
from beadctl.evaluation import worst
from beadctl.evaluation.comparison import Verdict
from beadctl.files import write_bytes, write_json
from beadctl.launch import Launch
from beadctl.model.metadata import with_facts
from beadctl.results.workers import Workers
from beadctl.training.device import resolve
from beadctl.training.export import ExportOptions
from beadctl.training.preparation import Asked
from beadctl.tuning import cross_validation, page
from beadctl.tuning.folder import FIGURES, MODEL, PAGE, RUN, TILES, WORST, require_own
from beadctl.tuning.steps import tuned_on
from beadctl.tuning.verdict import Outcome
from beadctl.words import number_of

DEFAULT_FOLDER = Path("tuned")
# Images to train on, to choose epoch and thresholds on, and to compare on.
ENOUGH = 3


def tune(
    samples: Sequence[Sample],
    tiling: TilingOptions,
    asked: Asked,
    options: ExportOptions,
    messages: Messages,
    *,
    folds: int | None,
    form: Form,
    cluster: AbstractContextManager[Workers] | None = None,
) -> ExitCode:
    """Make a model file from annotated images, and compare it with the default model.

    The folder of `asked` gets ``tuned.onnx``, ``report.html``, ``worst_places.png`` and ``tuning.json``, and
    beside them the tiles and the training. The same call goes on where an earlier one was stopped.

    Returns ``SOME_FAILED`` if an image or its annotation cannot be used, else ``DONE``.

    Parameters
    ----------
    samples : sequence of Sample
        The annotated images.
    tiling, asked, options : TilingOptions, Asked and ExportOptions
        Tiles, training and facts of the model file.
    messages : Messages
        Takes progress and result.
    folds : int or None
        Number of folds of a cross-validation, which then decides; None for none.
    form : Form
        Of the table of figures on standard output.
    cluster : context manager, optional
        Gives the workers that train, as `beadctl.tuning.order.TuningOrder` says; the rest is done here.

    Raises
    ------
    SettingsError
        If there are fewer images with beads than folds, or torchrun started several processes.
    OutputError
        If the folder holds such files and no tuning, or tiles of other images or another size.
    TrainingError
        If too few images have beads.
    BeadctlError
        As the steps raise it.
    """
    Launch.of().require_alone("tune")
    out = asked.out or DEFAULT_FOLDER
    require_own(out)
    if not cluster:
        resolve(asked.options.device)
    with lock.held(out, messages.info):
        cut = cut_with_progress(samples, out / TILES, tiling, overwrite=False, messages=messages)
        for reason in cut.failures:
            messages.fail(reason)
        if not (out / TILES / MANIFEST).exists():
            raise AnnotationError(f"{out / TILES}: no image could be cut into tiles; correct the annotations")
        _require_parts(cut, len(samples))
        asked = replace(asked, tiles=out / TILES, out=out / RUN)
        rows = read_manifest(out / TILES)
        splits = fold_splits(rows, folds, seed=tiling.seed, group_by=tiling.group_by) if folds else []
        if cluster:
            with cluster as workers:
                _train_by([asked, *cross_validation.prepared_folds(asked, splits)], workers, messages)
        tuned = tuned_on(samples, asked, options, tiling.read, messages)
        crossed = cross_validation.cross_validated(samples, asked, options, tiling.read, messages, splits)
        outcome = Outcome(tuned, tuple(crossed), rows)
        _write(out, outcome)
    print_rows(form, page.FIGURE_COLUMNS, outcome.comparison.rows())
    if crossed:
        table = cross_validation.table([fold.comparison for fold in crossed])
        messages.table(cross_validation.TITLE, cross_validation.COLUMNS, table)
    messages.info(f"report: {out / PAGE}")
    bad = outcome.comparison.verdict is Verdict.NOT_BETTER
    (messages.warn if bad else messages.info)(outcome.line(out / MODEL))
    return ExitCode.of(failed=bool(cut.failures))


def _require_parts(cut: Cut, images: int) -> None:
    """Refuse images that leave nothing to train on, or to choose thresholds on."""
    if all(cut.splits[split]["beads"] for split in ("train", "val")):
        return
    raise TrainingError(
        f"{number_of(images, 'annotated image')}: too few beads for a part to train on and one to choose "
        f"epoch and thresholds on; annotate beads in {ENOUGH} images at least"
    )


def _train_by(trainings: Sequence[Asked], workers: Workers, messages: Messages) -> None:
    """Have workers train, each model into its folder, where `tuned_on` finds it."""
    with stoppable() as stop, messages.progress(len(trainings), "training") as advance:
        asked = [(one.tiles, one.out) for one in trainings]
        begun = {workers.submit(*(path.absolute() for path in paths if path)) for paths in asked}
        while begun:
            done, begun = wait(begun, timeout=POLL_S, return_when=FIRST_COMPLETED)
            workers.check()
            if stop.made():
                raise stop.error
            for future in done:
                try:
                    future.result()
                except ImageError as error:
                    # A worker that is lost again and again.
                    raise TrainingError(str(error)) from None
                advance()


def _write(out: Path, outcome: Outcome) -> None:
    """Write the files of an outcome, the model last."""
    worst.write(out / WORST, outcome.tuned.places)
    page.write(out / PAGE, outcome)
    write_json(out / FIGURES, outcome.content())
    write_bytes(out / MODEL, with_facts(outcome.tuned.model.path.read_bytes(), outcome.facts()))
