"""What ``train`` and ``compare-losses`` share: from settings to a run, and its live table."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from beadctl import console
from beadctl.compare import Outcome
from beadctl.errors import (
    AnnotationError,
    BeadctlError,
    DeviceError,
    Interrupted,
    MissingExtraError,
    SettingsError,
)
from beadctl.losses import Loss, LossParameters
from beadctl.settings import Settings

if TYPE_CHECKING:
    from beadctl.training.plan import Plan
    from beadctl.training.records import RunResult

# The last signal that asked a run to stop: the exit code tells it.
_asked: list[int] = []


def plan(settings: Settings) -> "Plan":
    """Return the plan that the settings describe."""
    from beadctl.training.plan import Plan

    section: dict[str, Any] = settings.train.model_dump(exclude={"workers"})
    weights = settings.loss.model_dump(exclude={"name", "seed_weight"})
    return Plan(
        **section,
        loss=settings.loss.name,
        loss_parameters=LossParameters(**weights),
        seed_weight=settings.loss.seed_weight,
        size=settings.data.size,
        seed=settings.data.seed,
        **{name: value for name, value in _instances(settings).items() if value is not None},
    )


def learn(settings: Settings, out: Path, voice: console.Voice, *, resume: bool = False) -> "RunResult":
    """Train with the settings into `out`; a first Ctrl-C or SIGTERM ends the run in good order."""
    from beadctl.training import live
    from beadctl.training.device import resolve
    from beadctl.training.loop import train

    planned = plan(settings)
    voice.say(f"training on {resolve(settings.inference.device)} into {out}")
    with _stoppable() as stopped, live.table(planned, voice.verbosity) as shown:
        return train(
            planned,
            tiles=None if planned.simulate else settings.data.tiles,
            run_dir=out,
            resume=resume,
            device_name=settings.inference.device,
            workers=settings.train.workers,
            threads=settings.inference.threads,
            settings=settings.model_dump(mode="json"),
            on_epoch=shown.epoch,
            on_step=shown.step,
            should_stop=lambda: bool(stopped),
        )


def interruption() -> int:
    """Return the exit code of the signal that ended a run."""
    return 128 + (_asked[-1] if _asked else signal.SIGINT)


@contextmanager
def _stoppable() -> Iterator[list[int]]:
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


def losses(names: str) -> list[Loss]:
    """Return the losses of a comma-separated list.

    Raises
    ------
    SettingsError
        For a name that is not a loss, or one that stands twice.
    """
    given = [name.strip() for name in names.split(",") if name.strip()]
    known = [loss.value for loss in Loss]
    for name in given:
        if name not in known:
            raise SettingsError(f"--losses: unknown loss {name!r}; valid: {', '.join(known)}")
    if not given or len(set(given)) < len(given):
        raise SettingsError("--losses: name each loss once, such as dice,focal,combined")
    return [Loss(name) for name in given]


def outcome(settings: Settings, loss: Loss, seed: int, out: Path, voice: console.Voice) -> Outcome:
    """Run one loss with one seed, or take up what an earlier call of the same comparison left."""
    chosen = settings.model_copy(
        update={
            "loss": settings.loss.model_copy(update={"name": loss}),
            "data": settings.data.model_copy(update={"seed": seed}),
        }
    )
    folder = out / f"{loss.value}-seed{seed}"
    try:
        result = learn(chosen, folder, voice, resume=(folder / "last.pt").is_file())
    except BeadctlError as error:
        if isinstance(error, DeviceError | SettingsError | MissingExtraError | AnnotationError):
            raise
        console.fail(f"{loss.value}, seed {seed}: {error}")
        return Outcome(loss.value, seed, reason=str(error))
    if result.stopped == "interrupted":
        raise Interrupted(interruption() - 128)
    assert result.record is not None
    return Outcome(loss.value, seed, result.record.val_jaccard, result.record.count_mae, result.record.epoch)
