"""``beadctl compare-losses`` below the command line: the missing trials are run, then all are reported."""

from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager
from pathlib import Path

from beadctl import console, lock
from beadctl.console.stopping import stoppable
from beadctl.dataset.manifest import read_manifest
from beadctl.errors import ExitCode, ImageError
from beadctl.results.gate import POLL_S
from beadctl.results.workers import Workers
from beadctl.study import gallery, tables
from beadctl.study import report as reports
from beadctl.study.grid import Trial
from beadctl.study.live import ComparisonProgress
from beadctl.study.outcome import Outcome
from beadctl.study.trial import failed, kept
from beadctl.study.trial import run as run_trial
from beadctl.study.verdict import measured_on, verdict
from beadctl.training.device import resolve
from beadctl.training.measured import measured_split
from beadctl.training.options import TrainCallbacks, TrainOptions
from beadctl.training.start import Start
from beadctl.training.tiles import Tiles
from beadctl.words import number_of

DEFAULT_FOLDER = Path("runs/compare-losses")

# Settings that the tables list for each run, and patience, which ends no trial.
NOT_SHARED = ("loss", "weighting", "lr", "batch_size", "dropout", "seed", "patience")


def run_missing(
    chosen: Sequence[Trial],
    out: Path,
    messages: console.Messages,
    *,
    tiles: Path | None,
    start: Start | None,
    options: TrainOptions,
    retry: bool,
    cluster: AbstractContextManager[Workers] | None = None,
) -> None:
    """Run the trials that have no outcome yet.

    Parameters
    ----------
    chosen : sequence of Trial
        Trials of this call.
    out : Path
        Folder of the comparison.
    messages : Messages
        Takes the progress.
    tiles, start, options
        As `beadctl.training.train.train` takes them.
    retry : bool
        Run failed trials again.
    cluster : context manager, optional
        Gives the workers that run them, as `beadctl.study.order.TrialOrder` says.

    Raises
    ------
    Interrupted
        If a first Ctrl-C, SIGTERM or SIGUSR1 ended it; finished trials and epochs are kept.
    OutputError
        If another call is running one of them.
    BeadctlError
        As `beadctl.study.trial.run`.
    """
    if tiles:
        rows = read_manifest(tiles)
        # Broken tiles are reported before the first trial.
        for split in {"train", "val", measured_split(tiles)}:
            Tiles(rows, split, tiles)
    before = [kept(trial, out, retry=retry) for trial in chosen]
    missing = [trial for trial, outcome in zip(chosen, before, strict=True) if outcome is None]
    if missing:
        where = "a cluster" if cluster else resolve(options.device)
        messages.info(f"{len(missing)} of {number_of(len(chosen), 'trial')} to run on {where} into {out}")
    progress = ComparisonProgress(chosen, [outcome for outcome in before if outcome], messages.verbosity)
    if cluster and missing:
        out.mkdir(parents=True, exist_ok=True)
        with cluster as workers, progress.live():
            _run_by_workers(missing, out, workers, progress, measured_split(tiles))
        return
    with stoppable() as stop, progress.live():
        callbacks = TrainCallbacks(progress.epoch, progress.step, stop.made)
        for trial in missing:
            progress.start(trial)
            with lock.held(out / trial.folder, messages.info):
                # Another call may have run it since.
                outcome = kept(trial, out, retry=retry) or run_trial(
                    trial, out, tiles=tiles, start=start, options=options, callbacks=callbacks
                )
            if outcome is None:
                raise stop.error
            progress.finish(outcome)


def _run_by_workers(
    missing: Sequence[Trial], out: Path, workers: Workers, progress: ComparisonProgress, split: str
) -> None:
    """Run trials by workers, in an order of their own, so their times are those from one end to the next."""
    with stoppable() as stop:
        trials = {workers.submit(trial): trial for trial in missing}
        while trials:
            progress.start(next(iter(trials.values())))
            while not (done := wait(trials, timeout=POLL_S, return_when=FIRST_COMPLETED).done):
                workers.check()
                if stop.made():
                    raise stop.error
            for future in done:
                progress.finish(_outcome(future, trials.pop(future), out, split))


def _outcome(future: Future[Outcome], trial: Trial, out: Path, split: str) -> Outcome:
    try:
        return future.result()
    except ImageError as error:
        return failed(trial, out, split, str(error))


def report(
    trials: Sequence[Trial],
    out: Path,
    messages: console.Messages,
    *,
    tiles: Path | None,
    pictures: bool,
    form: console.Form,
) -> ExitCode:
    """Write the report of all finished trials, print the arms, and return whether a trial failed.

    Parameters
    ----------
    trials : sequence of Trial
        All trials of the comparison, also those of other tasks.
    out, messages, tiles
        As for `run_missing`.
    pictures : bool
        Draw the best and worst tiles.
    form : Form
        Form of the printed table.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    outcomes = [outcome for trial in trials if (outcome := kept(trial, out)) is not None]
    plan = {name: value for name, value in trials[0].plan.as_dict().items() if name not in NOT_SHARED}
    shared = {"tiles": str(tiles or "simulated"), **plan}
    reports.write(out, outcomes, shared, gallery.pictures(outcomes, out, tiles) if pictures else [])
    arms = tables.arms(outcomes)
    messages.info(f"Jaccard, F1@0.5 and count error on the {measured_on(outcomes) or 'held-out'} tiles")
    console.print_rows(form, arms.columns, arms.rows)
    if len(outcomes) < len(trials):
        others = len(trials) - len(outcomes)
        messages.info(f"{others} of {number_of(len(trials), 'trial')} missing: other tasks have them")
    messages.info(verdict(outcomes))
    messages.info(f"report: {out / reports.PAGE}")
    return ExitCode.of(failed=any(not outcome.finished for outcome in outcomes))
