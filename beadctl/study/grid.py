"""Trials of a comparison: every combination of the compared values with every seed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import product
from typing import Any

from beadctl.errors import SettingsError
from beadctl.losses import Loss
from beadctl.shard import Shard
from beadctl.study.outcome import Arm
from beadctl.training.choices import SelectName
from beadctl.training.plan import TrainingPlan
from beadctl.weighting import WeightingName

# Factors of an arm, in order, and their flags; those of families are enums.
FLAGS = {
    "loss": "--losses",
    "weighting": "--weighting",
    "lr": "--lr",
    "batch_size": "--batch-size",
    "dropout": "--dropout",
}
FAMILIES: dict[str, type[StrEnum]] = {"loss": Loss, "weighting": WeightingName}


@dataclass(frozen=True)
class Trial:
    """One run of a comparison.

    Attributes
    ----------
    arm : Arm
        Compared settings.
    plan : TrainingPlan
        What is computed, with the seed.
    settings : mapping
        Plain values for the ``run.json`` of the run, by section.
    """

    arm: Arm
    plan: TrainingPlan
    settings: Mapping[str, Mapping[str, Any]]

    @property
    def seed(self) -> int:
        """Random seed of the run."""
        return self.plan.seed

    @property
    def folder(self) -> str:
        """Name of the run's folder: all factors, so that a comparison can be extended by values of any."""
        arm = self.arm
        lr, dropout = _shortest(arm.lr), _shortest(arm.dropout)
        factors = f"{arm.loss}-{arm.weighting}-lr{lr}-batch{arm.batch_size}-dropout{dropout}"
        return f"{factors}-seed{self.seed}"


def trials(
    lists: Mapping[str, str | None],
    seeds: int,
    plan: TrainingPlan,
    settings: Mapping[str, Mapping[str, Any]],
    check: Callable[[str, str], Any],
) -> list[Trial]:
    """Return the trials of a comparison, all arms of one seed before the next seed.

    A comparison that is stopped early has then run nearly the same number of seeds of each arm. The ramp
    between weights is left out for losses of one term.

    Parameters
    ----------
    lists : mapping of str to str or None
        Values of each factor of `Arm`, separated by commas, or ``all`` losses; None for that of `plan`.
    seeds : int
        Number of seeds, counted from that of `plan`.
    plan, settings
        What all trials share, as a `TrainingPlan` and as plain values by section.
    check : callable
        Takes the name of a training setting and a value as text, and returns the checked value.

    Raises
    ------
    SettingsError
        For an unknown loss or weighting, a value that is given twice or that the settings refuse, or if
        nothing is left to compare.
    """

    def values(name: str) -> list[Any]:
        text, flag, family = lists[name], FLAGS[name], FAMILIES.get(name)
        if not text:
            return [getattr(plan, name)]
        if family is Loss and text == "all":
            return list(Loss)
        parts = [part.strip() for part in text.split(",")]
        if not all(parts):
            raise SettingsError(f"{flag} {text}: separate the values by single commas")
        found = [_member(family, flag, part) if family else check(name, part) for part in parts]
        if len(set(found)) < len(found):
            raise SettingsError(f"{flag}: name each value once")
        return found

    arms = [
        Arm(loss.value, weighting.value, *numbers)
        for loss, weighting, *numbers in product(*map(values, FLAGS))
        if weighting is not WeightingName.RAMP or len(loss.weights) > 1
    ]
    if not arms:
        raise SettingsError(
            "--weighting ramp: none of the losses has several terms; add combined or multi-term"
        )
    return [_trial(arm, seed, plan, settings) for seed in range(plan.seed, plan.seed + seeds) for arm in arms]


def shard(trials: Sequence[Trial], part: str | None) -> list[Trial]:
    """Return the trials of one task of a job array.

    Parameters
    ----------
    trials : sequence of Trial
        All trials of the comparison.
    part : str or None
        As `beadctl.shard.Shard` reads it: every N-th trial from the I-th, so that slow and fast arms are
        shared out; None for all.

    Raises
    ------
    SettingsError
        If `part` is not I/N with I from 1 to N.
    """
    if part is None:
        return list(trials)
    shard = Shard.parse(part)
    return list(trials[shard.number - 1 :: shard.count])


def _trial(arm: Arm, seed: int, plan: TrainingPlan, settings: Mapping[str, Mapping[str, Any]]) -> Trial:
    loss, weighting = Loss(arm.loss), WeightingName(arm.weighting)
    # Weights belong to one loss; losses with another number of terms use their own.
    weights, ramp_from = (
        given if given and len(given) == len(loss.weights) > 1 else None
        for given in (plan.loss_parameters.weights, plan.weighting_parameters.ramp_from)
    )
    train: dict[str, Any] = {"lr": arm.lr, "batch_size": arm.batch_size, "dropout": arm.dropout}
    # Equal budgets: no trial ends early because its patience is over.
    train["patience"] = plan.epochs
    # The question is which loss overlaps best with the masks.
    train["select"] = SelectName.JACCARD
    own = replace(
        plan,
        loss=loss,
        loss_parameters=replace(plan.loss_parameters, weights=weights),
        weighting=weighting,
        weighting_parameters=replace(plan.weighting_parameters, ramp_from=ramp_from),
        seed=seed,
        **train,
    )
    changed: dict[str, dict[str, Any]] = {
        "data": {"seed": seed},
        "train": train,
        "loss": {"name": arm.loss, "weighting": arm.weighting, "weights": weights, "ramp_from": ramp_from},
    }
    return Trial(arm, own, {name: {**section, **changed.get(name, {})} for name, section in settings.items()})


def _shortest(value: float) -> str:
    """Return a number with six digits, or as many as it needs to be told from others."""
    text = f"{value:g}"
    return text if float(text) == value else repr(value)


def _member(family: type[StrEnum], flag: str, name: str) -> StrEnum:
    try:
        return family(name)
    except ValueError:
        raise SettingsError(f"{flag}: unknown {name!r}; valid: {', '.join(family)}") from None
