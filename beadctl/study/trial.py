"""A comparison as it is run: trial by trial, each of them kept, so that only what is missing is run."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from beadctl.dataset.manifest import read_manifest
from beadctl.errors import (
    AnnotationError,
    BeadctlError,
    DeviceError,
    MissingExtraError,
    OutputError,
    SettingsError,
)
from beadctl.files import json_text
from beadctl.results.formats import overlays
from beadctl.results.html import Picture
from beadctl.study import outcome as outcomes
from beadctl.study.grid import Run
from beadctl.study.outcome import Outcome, TileScore
from beadctl.training.loop import train
from beadctl.training.measured import answers, measure, measured_split
from beadctl.training.options import DEFAULT_OPTIONS, NO_CALLBACKS, TrainCallbacks, TrainOptions
from beadctl.training.plan import TrainingPlan, same, told
from beadctl.training.start import Start
from beadctl.training.tiles import Tiles

if TYPE_CHECKING:
    from beadctl.training.records import RunResult

RESULT = "result.json"

# Nothing about these is the trial's own: every other trial would meet them too.
OF_ALL = (AnnotationError, DeviceError, MissingExtraError, OutputError, SettingsError)


@dataclass(frozen=True)
class Trial:
    """A run of the grid, with all that determines it.

    Attributes
    ----------
    run : Run
        Its arm and seed.
    plan : TrainingPlan
        What is computed.
    settings : mapping
        Plain values for its ``run.json``.
    """

    run: Run
    plan: TrainingPlan
    settings: Mapping[str, Any]


def require_tiles(tiles: Path | None) -> None:
    """Look at the tiles once, before the first trial: what is wrong with them is wrong for all.

    Raises
    ------
    TrainingError, AnnotationError
        If a split is missing or useless, or a tile broken.
    """
    if tiles is not None:
        rows = read_manifest(tiles)
        for split in {"train", "val", measured_split(tiles)}:
            Tiles(rows, split, tiles)


def kept(trial: Trial, out: Path, *, retry: bool = False) -> Outcome | None:
    """Return the outcome that an earlier call left, if there is one.

    Parameters
    ----------
    trial : Trial
        Which one.
    out : Path
        Folder of the comparison.
    retry : bool
        Take no failed one.

    Raises
    ------
    OutputError
        If the trial was run with other settings, or its file is broken.
    """
    folder = out / trial.run.folder
    if not (folder / RESULT).is_file():
        return None
    _require_same_plan(trial, folder)
    found = outcomes.read(folder / RESULT)
    return None if retry and not found.finished else found


def run(
    trial: Trial,
    out: Path,
    *,
    tiles: Path | None,
    start: Start | None = None,
    options: TrainOptions = DEFAULT_OPTIONS,
    callbacks: TrainCallbacks = NO_CALLBACKS,
) -> Outcome | None:
    """Train one trial, or go on where it was stopped, measure it, and keep its outcome.

    Parameters
    ----------
    trial : Trial
        What to run.
    out : Path
        Folder of the comparison; the trial's is below.
    tiles : Path or None
        Folder of tiles; None when the plan simulates.
    start, options, callbacks
        As `beadctl.training.loop.train` takes them; resumption and settings are the trial's own.

    Returns
    -------
    Outcome or None
        With a `reason` where it failed; None where it was stopped.

    Raises
    ------
    BeadctlError
        For what would fail every other trial as well: tiles, device, settings, disk.
    """
    folder = out / trial.run.folder
    resume = (folder / "last.pt").is_file()
    if resume:
        _require_same_plan(trial, folder)
    try:
        result = train(
            trial.plan,
            folder,
            tiles=tiles,
            start=start,
            options=replace(options, resume=resume, settings=trial.settings),
            callbacks=callbacks,
        )
        if result.stopped == "interrupted":
            return None
        outcome = _outcome(trial, result, tiles, options.device)
    except OF_ALL:
        raise
    except (BeadctlError, MemoryError, RuntimeError) as error:
        # RuntimeError is how PyTorch says that the GPU's memory is full. A comparison runs over night: one
        # trial that cannot be done is a row with its reason, not the end of all.
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        outcome = Outcome(
            trial.run.arm, trial.run.seed, trial.run.folder, measured_split(tiles), reason=reason
        )
    outcomes.write(folder / RESULT, outcome)
    return outcome


def _outcome(trial: Trial, result: RunResult, tiles: Path | None, device_name: str) -> Outcome:
    assert result.best is not None
    assert result.record is not None
    found = measure(result.best, tiles, device_name)
    return Outcome(
        arm=trial.run.arm,
        seed=trial.run.seed,
        folder=trial.run.folder,
        split=found.split,
        **vars(found.scores),
        val_jaccard=result.record.val_jaccard,
        epoch=result.record.epoch,
        epochs=result.epochs,
        seconds=result.seconds,
        stopped=result.stopped,
        device=result.device,
        tiles=tuple(
            TileScore(name, one.pixels.jaccard, one.numbers.true[0], one.numbers.found[0])
            for name, one in found.tiles
        ),
    )


def _require_same_plan(trial: Trial, folder: Path) -> None:
    """Refuse to count a run of another budget or network as this trial; patience ends no run here."""
    try:
        before = json.loads((folder / "run.json").read_text(encoding="utf-8"))["plan"]
    except (OSError, ValueError, KeyError, TypeError):
        # Nothing is known of a run that failed before it started.
        return
    # Through JSON, which knows no tuples and no infinity.
    wanted = json.loads(json_text(trial.plan.as_dict()))
    for name, value in wanted.items():
        if name != "patience" and not same(name, value, before.get(name)):
            raise OutputError(
                f"{folder}: was run with {name} = {told(before.get(name))}, not {told(value)}; "
                "compare with the same settings, or choose another -o"
            )


def pictures(found: Sequence[Outcome], out: Path, tiles: Path | None, most: int = 8) -> list[Picture]:
    """Draw the best and the worst measured tile of each arm, by its best run: the truth beside the answer.

    Parameters
    ----------
    found : sequence of Outcome
        All outcomes.
    out : Path
        Folder of the comparison.
    tiles : Path or None
        As for `run`.
    most : int
        Arms to draw, the best first.
    """
    best: dict[outcomes.Arm, Outcome] = {}
    for one in sorted((one for one in found if one.finished and one.tiles), key=lambda one: one.jaccard):
        best[one.arm] = one
    names = outcomes.labels(list(best))
    drawn = []
    for one in sorted(best.values(), key=lambda one: -one.jaccard)[:most]:
        ranked = sorted(one.tiles, key=lambda tile: tile.jaccard)
        wanted = {ranked[-1].image: (ranked[-1], "best"), ranked[0].image: (ranked[0], "worst")}
        for answer in answers(out / one.folder / "best.pt", tiles, one.split, "cpu"):
            if answer.name in wanted:
                tile, word = wanted[answer.name]
                caption = (
                    f"{names[one.arm]}, seed {one.seed}: {word} {one.split} tile, {tile.image}. Jaccard "
                    f"{tile.jaccard:.3f}; left the truth ({tile.true}), right what was found ({tile.found})."
                )
                drawn.append(Picture(caption, _side_by_side(answer.image, answer.true, answer.found)))
    return drawn


def _side_by_side(image: NDArray[Any], true: NDArray[Any], found: NDArray[Any]) -> bytes:
    halves = [overlays.paint(image, labels.astype(np.uint32)) for labels in (true, found)]
    gap = np.full((image.shape[0], 4), overlays.GREYS - 1, np.uint8)
    stream = io.BytesIO()
    overlays.coloured(np.hstack((halves[0], gap, halves[1]))).save(stream, format="PNG", optimize=True)
    return stream.getvalue()
