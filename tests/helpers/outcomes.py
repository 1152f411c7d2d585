"""Outcomes of a comparison of losses, made up."""

import math
from dataclasses import replace

from beadctl.study.outcome import Arm, Outcome


def arm(loss: str = "dice", **factors) -> Arm:
    return Arm(
        **({"loss": loss, "weighting": "fixed", "lr": 1e-3, "batch_size": 8, "dropout": 0.0} | factors)
    )


def outcome(loss: str = "dice", seed: int = 0, jaccard: float = 0.5, **facts) -> Outcome:
    factors = {
        name: facts.pop(name) for name in ("weighting", "lr", "batch_size", "dropout") if name in facts
    }
    setting = arm(loss, **factors)
    figures = {"f1": jaccard / 2, "count_mape": 1 - jaccard, "val_jaccard": jaccard + 0.01} | facts
    return Outcome(setting, seed, f"{loss}-{seed}", "test", jaccard, **figures)


def outcomes(**losses: list[float]) -> list[Outcome]:
    return [outcome(loss, seed, value) for loss, runs in losses.items() for seed, value in enumerate(runs)]


FAILED = replace(outcome("focal", 2), jaccard=math.nan, reason="diverged")
