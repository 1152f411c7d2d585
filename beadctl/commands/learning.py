"""What ``train`` and ``compare-losses`` share: from settings to a run, and its live table."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from beadctl import console
from beadctl.losses import LossParameters
from beadctl.settings import Settings
from beadctl.weighting import WeightingParameters

if TYPE_CHECKING:
    from beadctl.training.plan import Plan
    from beadctl.training.records import RunResult

# The last signal that asked a run to stop: the exit code tells it.
_asked: list[int] = []


def plan(settings: Settings) -> "Plan":
    """Return the plan that the settings describe."""
    from beadctl.training.architecture import Kind
    from beadctl.training.plan import Plan

    section: dict[str, Any] = settings.train.model_dump(exclude={"workers", "arch"})
    numbers = settings.loss.model_dump()
    return Plan(
        **section,
        arch=Kind(settings.train.arch),
        loss=settings.loss.name,
        loss_parameters=LossParameters(**{name: numbers[name] for name in _names(LossParameters)}),
        seed_weight=settings.loss.seed_weight,
        weighting=settings.loss.weighting,
        weighting_parameters=WeightingParameters(
            **{name: numbers[name] for name in _names(WeightingParameters)}
        ),
        size=settings.data.size,
        seed=settings.data.seed,
        **{name: value for name, value in _instances(settings).items() if value is not None},
    )


def _names(family: type) -> list[str]:
    return [field.name for field in fields(family)]


def learn(
    settings: Settings,
    out: Path,
    voice: console.Voice,
    *,
    resume: bool = False,
    gradient_audit: bool = False,
) -> "RunResult":
    """Train with the settings into `out`; a first Ctrl-C or SIGTERM ends the run in good order."""
    from beadctl.training import live
    from beadctl.training.device import resolve
    from beadctl.training.loop import train

    planned = plan(settings)
    voice.say(f"training on {resolve(settings.inference.device)} into {out}")
    with stoppable() as stopped, live.table(planned, voice.verbosity) as shown:
        return train(
            planned,
            tiles=None if planned.simulate else settings.data.tiles,
            run_dir=out,
            resume=resume,
            device_name=settings.inference.device,
            workers=settings.train.workers,
            threads=settings.inference.threads,
            settings=settings.model_dump(mode="json"),
            gradient_audit=gradient_audit,
            on_epoch=shown.epoch,
            on_step=shown.step,
            should_stop=lambda: bool(stopped),
        )


def interruption() -> int:
    """Return the exit code of the signal that ended a run."""
    return 128 + (_asked[-1] if _asked else signal.SIGINT)


@contextmanager
def stoppable() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM instead of dying; a second one dies."""
    _asked.clear()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        _asked.append(number)
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, note)
    try:
        yield _asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _instances(settings: Settings) -> dict[str, Any]:
    asked = settings.instances
    return {
        "threshold": asked.threshold,
        "seed_threshold": asked.seed_threshold,
        "min_area_px": asked.min_area,
    }
