"""One trial of a comparison: trained, measured, and kept in a file, so that only missing trials are run."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

from beadctl.errors import (
    AnnotationError,
    BeadctlError,
    DeviceError,
    MissingExtraError,
    OutputError,
    SettingsError,
)
from beadctl.files import write_json
from beadctl.study.grid import Trial
from beadctl.study.outcome import Outcome, TileScore, read
from beadctl.text import json_text
from beadctl.training.measured import measure, measured_split
from beadctl.training.options import DEFAULT_OPTIONS, NO_CALLBACKS, TrainCallbacks, TrainOptions
from beadctl.training.plan import current_names, same, value_text
from beadctl.training.records import RunResult
from beadctl.training.run_folder import FACTS, LAST
from beadctl.training.start import Start
from beadctl.training.train import train

RESULT = "result.json"

# Errors that every other trial would meet too; they end the comparison.
SHARED_ERRORS = (AnnotationError, DeviceError, MissingExtraError, OutputError, SettingsError)


def kept(trial: Trial, out: Path, *, retry: bool = False) -> Outcome | None:
    """Return the outcome of a trial that an earlier call ran; None if the trial is to be run.

    Parameters
    ----------
    trial : Trial
        The trial.
    out : Path
        Folder of the comparison, which holds that of the trial.
    retry : bool
        Return no failed outcome, so that the trial is run again.

    Raises
    ------
    OutputError
        If the trial was run with other settings, or its file is broken.
    """
    folder = out / trial.folder
    if not (folder / RESULT).is_file():
        return None
    _require_same_plan(trial, folder)
    outcome = read(folder / RESULT)
    return None if retry and not outcome.finished else outcome


def run(
    trial: Trial,
    out: Path,
    *,
    tiles: Path | None,
    start: Start | None = None,
    options: TrainOptions = DEFAULT_OPTIONS,
    callbacks: TrainCallbacks = NO_CALLBACKS,
) -> Outcome | None:
    """Train a trial, or resume it, measure it, and write and return its outcome; None if it was stopped.

    Parameters
    ----------
    trial, out
        As for `kept`.
    tiles, start, options, callbacks
        As `beadctl.training.train.train` takes them; resumption and settings are those of the trial.

    Raises
    ------
    BeadctlError
        For errors that every other trial would meet: tiles, device, settings, disk.
    """
    folder = out / trial.folder
    resume = (folder / LAST).is_file()
    if resume:
        _require_same_plan(trial, folder)
    options = replace(options, resume=resume, settings=trial.settings)
    try:
        result = train(trial.plan, folder, tiles=tiles, start=start, options=options, callbacks=callbacks)
        if result.stopped == "interrupted":
            return None
        outcome = _measured(trial, result, tiles, options.device)
    except SHARED_ERRORS:
        raise
    except (BeadctlError, MemoryError, RuntimeError) as error:
        # PyTorch raises RuntimeError when the GPU's memory is full. The other trials go on.
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        return failed(trial, out, measured_split(tiles), reason)
    write_json(folder / RESULT, asdict(outcome))
    return outcome


def failed(trial: Trial, out: Path, split: str, reason: str) -> Outcome:
    """Write and return the outcome of a trial that failed.

    Parameters
    ----------
    trial, out
        As for `kept`.
    split, reason : str
        Split that it would have been measured on, and why it failed.
    """
    outcome = Outcome(trial.arm, trial.seed, trial.folder, split, reason=reason)
    write_json(out / trial.folder / RESULT, asdict(outcome))
    return outcome


def _measured(trial: Trial, result: RunResult, tiles: Path | None, device: str) -> Outcome:
    assert result.best is not None
    assert result.record is not None
    measured = measure(result.best, tiles, device)
    return Outcome(
        arm=trial.arm,
        seed=trial.seed,
        folder=trial.folder,
        split=measured.split,
        **vars(measured.scores),
        val_jaccard=result.record.val_jaccard,
        epoch=result.record.epoch,
        epochs=result.epochs,
        seconds=result.seconds,
        stopped=result.stopped,
        device=result.device,
        tiles=tuple(
            TileScore(name, counts.pixels.jaccard, counts.counts.true[0], counts.counts.found[0])
            for name, counts in measured.tiles
        ),
    )


def _require_same_plan(trial: Trial, folder: Path) -> None:
    """Refuse a run of another budget or network; patience may differ, because it ends no trial."""
    try:
        before = current_names(json.loads((folder / FACTS).read_text(encoding="utf-8"))["plan"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        # A run that failed before it started has no plan.
        return
    # JSON has no tuples and no infinity.
    wanted = json.loads(json_text(trial.plan.as_dict()))
    for name, value in wanted.items():
        if name != "patience" and not same(name, value, before.get(name)):
            raise OutputError(
                f"{folder}: was run with {name} = {value_text(before.get(name))}, not {value_text(value)}; "
                "compare with the same settings, or choose another -o"
            )
