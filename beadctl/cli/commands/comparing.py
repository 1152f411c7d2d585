"""What ``compare-losses`` is made of: from lists of settings to trials, their runs and the report."""

import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from beadctl import console
from beadctl.cli import settings
from beadctl.cli import training_arguments as arguments
from beadctl.cli.settings import Settings
from beadctl.console.stopping import stoppable
from beadctl.errors import Interrupted, SettingsError
from beadctl.losses import Loss
from beadctl.study import grid, statistics, tables
from beadctl.study import report as reports
from beadctl.study.grid import Run
from beadctl.study.live import Progress, TrialProgress
from beadctl.study.outcome import Outcome
from beadctl.study.trial import Trial, kept, pictures, require_tiles
from beadctl.study.trial import run as run_trial
from beadctl.training.options import TrainCallbacks
from beadctl.training.records import EpochRecord, StepRecord
from beadctl.training.start import Start
from beadctl.weighting import WeightingName

Member = TypeVar("Member", Loss, WeightingName)


@dataclass(frozen=True)
class Lists:
    """What the command line gave to compare: lists as text, None for the one value of the settings."""

    losses: str
    weightings: str | None
    lrs: str | None
    batch_sizes: str | None
    dropouts: str | None
    seeds: int


def trials(
    config: Path | None, flags: Mapping[str, Any], lists: Lists
) -> tuple[Settings, Start | None, list[Trial]]:
    """Return the settings and the first weights that all trials share, and the trials.

    Raises
    ------
    SettingsError
        For an unknown loss or weighting (with the list of those there are), a value that stands twice, or one
        that the settings do not take.
    ModelError
        If the weights to start from cannot be read.
    """
    base, start = arguments.first_weights(settings.load(config, flags))

    def each(name: str, given: str | None) -> list[Any]:
        """Values of a list, each checked as the setting would be."""
        if not given:
            return [getattr(base.train, name)]
        key, flag = f"train.{name}", f"--{name.replace('_', '-')}"
        each = [settings.load(config, {**flags, key: part}) for part in _parts(flag, given)]
        return _distinct(flag, [getattr(one.settings.train, name) for one in each])

    runs = grid.runs(
        list(Loss) if lists.losses == "all" else _members(Loss, "--losses", lists.losses),
        range(base.data.seed, base.data.seed + lists.seeds),
        weightings=_members(WeightingName, "--weighting", lists.weightings)
        if lists.weightings
        else [base.loss.weighting],
        lrs=each("lr", lists.lrs),
        batch_sizes=each("batch_size", lists.batch_sizes),
        dropouts=each("dropout", lists.dropouts),
    )
    if not runs:
        raise SettingsError(
            "--weighting ramp: none of the losses has several terms; add combined or multi-term"
        )
    return base, start, [_trial(base, run, start) for run in runs]


def mine(whole: Sequence[Trial], shard: str | None) -> list[Trial]:
    """Return the trials of this task of a job array.

    Raises
    ------
    SettingsError
        If `shard` is not K/N with K from 1 to N.
    """
    if shard is None:
        return list(whole)
    match = re.fullmatch(r"(\d+)/(\d+)", shard)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise SettingsError(f"--shard {shard}: give K/N with K from 1 to N, such as 2/8")
    wanted = set(grid.shard([trial.run for trial in whole], int(match[1]), int(match[2])))
    return [trial for trial in whole if trial.run in wanted]


def run(
    base: Settings,
    start: Start | None,
    chosen: Sequence[Trial],
    out: Path,
    messages: console.Messages,
    *,
    retry: bool,
    gradient_audit: bool,
) -> None:
    """Run the trials that have no outcome yet; a signal ends it in good order."""
    from beadctl.training.device import resolve

    tiles = _tiles(base)
    require_tiles(tiles)
    before = [kept(trial, out, retry=retry) for trial in chosen]
    missing = [trial for trial, outcome in zip(chosen, before, strict=True) if outcome is None]
    if missing:
        messages.info(
            f"{len(missing)} of {len(chosen)} trials to run on {resolve(base.inference.device)} into {out}"
        )
    shown = Progress([trial.run for trial in chosen], messages.verbosity)
    for outcome in filter(None, before):
        shown.kept(outcome)
    with stoppable() as stop, shown:
        options = arguments.train_options(base, gradient_audit=gradient_audit)
        callbacks = TrainCallbacks(
            on_epoch=lambda record: shown.at(_after_epoch(shown.moment, record)),
            on_step=lambda record: shown.at(_after_step(shown.moment, record)),
            should_stop=stop.made,
        )
        for trial in missing:
            shown.start(trial.run, trial.plan.epochs)
            finished = run_trial(
                trial,
                out,
                tiles=tiles,
                start=start,
                options=options,
                callbacks=callbacks,
            )
            if finished is None:
                raise Interrupted(stop.signal or signal.SIGINT)
            shown.finish(finished)


def report(
    base: Settings, whole: Sequence[Trial], out: Path, messages: console.Messages, *, with_pictures: bool
) -> list[Outcome]:
    """Write all tables and pictures of what is finished, also by other tasks, and print the summary."""
    found = [outcome for trial in whole if (outcome := kept(trial, out)) is not None]
    facts = {
        "tiles": str(_tiles(base) or "simulated"),
        **{name: value for name, value in whole[0].plan.as_dict().items() if name not in _COMPARED},
    }
    drawn = pictures(found, out, _tiles(base)) if with_pictures else []
    reports.write(out, found, facts, drawn)
    split = found[0].split if found else "val"
    title = (
        "Jaccard, F1@0.5 and count error on the " + {"test": "test", "val": "validation"}[split] + " tiles"
    )
    console.print_table(title, tables.SUMMARY_HEADINGS, tables.rows(found), to_stdout=True)
    if len(found) < len(whole):
        messages.info(f"{len(whole) - len(found)} of {len(whole)} trials are missing: other tasks have them")
    messages.info(statistics.verdict(found))
    messages.info(f"report: {out / 'report.html'}")
    return found


# Told apart in the tables, so not among what all trials share.
_COMPARED = ("loss", "weighting", "lr", "batch_size", "dropout", "seed", "patience")


def _trial(base: Settings, run: Run, start: Start | None) -> Trial:
    arm, loss = run.arm, Loss(run.arm.loss)
    # Weights are those of one loss; the others keep their own.
    given = {
        name: weights if weights and len(weights) == len(loss.weights) > 1 else None
        for name, weights in (("weights", base.loss.weights), ("ramp_from", base.loss.ramp_from))
    }
    weighting = WeightingName(arm.weighting)
    changed = {"lr": arm.lr, "batch_size": arm.batch_size, "dropout": arm.dropout}
    # Equal budgets: no trial ends before the others because it was patient for less.
    changed["patience"] = base.train.epochs
    chosen = base.model_copy(
        update={
            "data": base.data.model_copy(update={"seed": run.seed}),
            "train": base.train.model_copy(update=changed),
            "loss": base.loss.model_copy(update={"name": loss, "weighting": weighting, **given}),
        }
    )
    return Trial(run, arguments.training_plan(chosen, start), chosen.model_dump(mode="json"))


def _tiles(base: Settings) -> Path | None:
    return None if base.train.simulate else base.data.tiles


def _after_epoch(moment: TrialProgress, record: EpochRecord) -> TrialProgress:
    best = max(record.val_jaccard, moment.jaccard or 0.0)
    return TrialProgress(record.epoch, moment.epochs, best)


def _after_step(moment: TrialProgress, record: StepRecord) -> TrialProgress:
    return TrialProgress(record.epoch, moment.epochs, moment.jaccard, record.step, record.steps)


def _members(family: type[Member], flag: str, names: str) -> list[Member]:
    known = [member.value for member in family]
    given = _parts(flag, names)
    for name in given:
        if name not in known:
            raise SettingsError(f"{flag}: unknown {name!r}; valid: {', '.join(known)}")
    return _distinct(flag, [family(name) for name in given])


def _parts(flag: str, text: str) -> list[str]:
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise SettingsError(f"{flag} {text}: separate the values by single commas")
    return parts


def _distinct(flag: str, values: list[Any]) -> list[Any]:
    if len(set(values)) < len(values):
        raise SettingsError(f"{flag}: name each value once")
    return values
