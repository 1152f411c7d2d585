"""What ``train`` and ``compare-losses`` share: from settings to a run, and its live table."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from beadctl import console
from beadctl.cli.settings import Loaded, Settings
from beadctl.errors import SettingsError
from beadctl.losses import LossParameters
from beadctl.weighting import WeightingParameters

if TYPE_CHECKING:
    from beadctl.training.architecture import Architecture
    from beadctl.training.plan import TrainingPlan
    from beadctl.training.records import RunResult
    from beadctl.training.start import Start

# Peak learning rates where none is given. Weights that are good already are to be moved, not forgotten.
RATE, FINE_TUNING_RATE = 1e-3, 3e-4

# The last signal that asked a run to stop: the exit code tells it.
_asked: list[int] = []


def begin(loaded: Loaded, run: Path | None = None) -> tuple[Settings, "Start | None"]:
    """Read the weights to start from, and fill in the settings that follow from them.

    Parameters
    ----------
    loaded : Loaded
        The settings and where they come from.
    run : Path, optional
        Folder of a run that goes on: it has its own weights.

    Returns
    -------
    settings : Settings
        With a learning rate, and the network of the start.
    start : Start or None
        None for random weights.

    Raises
    ------
    SettingsError
        If a setting asks for another network than that of the start.
    ModelError
        If the start cannot be read.
    """
    given = loaded.settings.train
    if given.start is None:
        start, known = None, {"lr": given.lr or RATE}
    else:
        from beadctl.training import start as starts

        start = starts.again(given.start, run) if run else starts.weights(given.start)
        known = {"lr": given.lr or FINE_TUNING_RATE, **_network(loaded, given.start, start.architecture)}
    return loaded.settings.model_copy(update={"train": given.model_copy(update=known)}), start


def _network(loaded: Loaded, source: str, own: "Architecture") -> dict[str, Any]:
    """Return the network's settings by those of the start, and refuse others that somebody asked for."""
    known = {
        "arch": own.kind,
        "width": own.width,
        "depth": own.depth,
        "max_channels": own.max_channels,
        "dilation": own.dilation,
    }
    for name, value in known.items():
        asked, origin = getattr(loaded.settings.train, name), loaded.origins[f"train.{name}"]
        if asked != value and origin != "default":
            shown = "" if origin == "flag" else f" (from {origin})"
            raise SettingsError(
                f"train.{name} = {asked}{shown}: the network of {source} has {value}; "
                "leave it out, or start from other weights"
            )
    return known


def plan(settings: Settings, start: "Start | None" = None) -> "TrainingPlan":
    """Return the plan that the settings describe, as `begin` returned them."""
    from beadctl.training.architecture import Kind
    from beadctl.training.plan import TrainingPlan

    section: dict[str, Any] = settings.train.model_dump(exclude={"workers", "arch", "start"})
    numbers = settings.loss.model_dump()
    planned = TrainingPlan(
        **section,
        arch=Kind(settings.train.arch),
        loss=settings.loss.name,
        loss_parameters=LossParameters(**{name: numbers[name] for name in _names(LossParameters)}),
        marker_weight=settings.loss.marker_weight,
        contact_weight=settings.loss.contact_weight,
        weighting=settings.loss.weighting,
        weighting_parameters=WeightingParameters(
            **{name: numbers[name] for name in _names(WeightingParameters)}
        ),
        size=settings.data.size,
        seed=settings.data.seed,
        **{name: value for name, value in _instances(settings).items() if value is not None},
    )
    return start.planned(planned) if start else planned


def _names(family: type) -> list[str]:
    return [field.name for field in fields(family)]


def learn(
    loaded: Loaded,
    out: Path,
    messages: console.Messages,
    *,
    resume: bool = False,
    gradient_audit: bool = False,
) -> "RunResult":
    """Train with the settings into `out`; a first Ctrl-C or SIGTERM ends the run in good order."""
    from beadctl.training import live
    from beadctl.training.device import resolve
    from beadctl.training.loop import train

    settings, start = begin(loaded, out if resume else None)
    planned = plan(settings, start)
    origin = f", from {settings.train.start}" if start and not resume else ""
    messages.info(f"training on {resolve(settings.inference.device)} into {out}{origin}")
    with stoppable() as stopped, live.table(planned, messages.verbosity) as shown:
        return train(
            planned,
            tiles=None if planned.simulate else settings.data.tiles,
            run_dir=out,
            start=start,
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
        "marker_threshold": asked.marker_threshold,
        "min_area_px": asked.min_area,
    }
