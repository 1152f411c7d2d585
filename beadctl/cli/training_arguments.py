"""Settings as plain arguments of `beadctl.training`. Imports torch, so commands import this when they run."""

import math
from contextlib import AbstractContextManager
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from beadctl.cli.arguments import plain
from beadctl.cli.settings import Loaded, Settings, load
from beadctl.cli.workers import workers_of
from beadctl.cluster.place import parse
from beadctl.console import Messages
from beadctl.errors import SettingsError
from beadctl.losses import LossParameters
from beadctl.results.workers import Workers
from beadctl.segmentation.sizes import Area
from beadctl.training.blend import Blend
from beadctl.training.choices import ArchName, PrecisionName, ScheduleName, SelectName
from beadctl.training.export import ExportOptions
from beadctl.training.options import TrainOptions
from beadctl.training.preparation import Asked
from beadctl.training.start import weights
from beadctl.weighting import WeightingParameters

if TYPE_CHECKING:
    from beadctl.study.order import TrialOrder

NETWORK = ("arch", "width", "depth", "max_channels", "dilation")
# Settings of the section [train] that are no numbers of a plan.
NOT_PLANNED = {"workers", "start", "tensorboard"}


def asked(loaded: Loaded, *, resume: bool = False, gradient_audit: bool = False) -> Asked:
    """Return what a training run is asked for."""
    settings, origins = loaded.settings, loaded.origins
    train, data = settings.train, settings.data
    network = {
        name: (getattr(train, name), origins[f"train.{name}"])
        for name in NETWORK
        if origins[f"train.{name}"] != "default"
    }
    options = TrainOptions(
        device=settings.inference.device,
        workers=train.workers,
        threads=settings.inference.threads,
        resume=resume,
        gradient_audit=gradient_audit,
        tensorboard=train.tensorboard,
        settings=plain(settings),
    )
    return Asked(
        _numbers(settings),
        sized=origins["data.size"] != "default",
        tiles=None if train.simulate else data.tiles,
        out=settings.output.out_dir,
        start=train.start,
        network=network,
        options=options,
    )


def _numbers(settings: Settings) -> dict[str, Any]:
    """Return the fields of a `TrainingPlan`."""
    train, loss = settings.train, settings.loss
    return {
        **train.model_dump(exclude=NOT_PLANNED),
        "arch": ArchName(train.arch),
        "schedule": ScheduleName(train.schedule),
        "precision": PrecisionName(train.precision),
        "select": SelectName(train.select),
        "loss": loss.name,
        "loss_parameters": LossParameters(**_fields(LossParameters, loss)),
        "marker_weight": loss.marker_weight,
        "contact_weight": loss.contact_weight,
        "weighting": loss.weighting,
        "weighting_parameters": WeightingParameters(**_fields(WeightingParameters, loss)),
        "size": settings.data.size,
        "seed": settings.data.seed,
        **{name: value for name, value in _instances(settings).items() if value is not None},
    }


def train_setting(loaded: Loaded, name: str, value: str) -> Any:
    """Return a value of the section [train] from text, checked as its flag would be."""
    return getattr(load(loaded.config, {**loaded.flags, f"train.{name}": value}).settings.train, name)


def trial_workers(
    settings: Settings, order: "TrialOrder", messages: Messages
) -> AbstractContextManager[Workers] | None:
    """Return a context with the workers of the cluster that is asked for at work on trials, if one is."""
    if not settings.cluster.workers:
        return None
    where = parse(settings.cluster.workers)
    order = replace(
        order,
        out=order.out.absolute(),
        tiles=order.tiles and order.tiles.absolute(),
        sharing=where.sharing,
    )
    return workers_of(where, order, settings, messages)


def tuning_workers(
    settings: Settings, asked: Asked, folds: int | None, messages: Messages
) -> AbstractContextManager[Workers] | None:
    """Return a context with the workers of the cluster that is asked for to train folds, if one is."""
    from beadctl.tuning.order import TuningOrder

    if not settings.cluster.workers:
        return None
    if not folds:
        raise SettingsError("--cluster: one model is trained by one process; give --folds, or leave it out")
    where = parse(settings.cluster.workers)
    order = TuningOrder(asked, where.sharing)
    return workers_of(where, order, settings, messages)


def export_options(settings: Settings) -> ExportOptions:
    """Return the facts of an exported model file that are not those of its run."""
    export = settings.export
    return ExportOptions(export.opset, export.name, export.licence, **_instances(settings))


def export_blend(settings: Settings) -> Blend | None:
    """Return the weights to average an exported network with."""
    export = settings.export
    return Blend(weights(export.blend), export.blend_share) if export.blend else None


def _instances(settings: Settings) -> dict[str, Any]:
    """Return how maps become beads in a run's validation and in the model file; None where not set."""
    section = settings.instances
    return {
        "threshold": section.threshold,
        "marker_threshold": section.marker_threshold,
        "min_area_px": section.min_area and _whole_px(section.min_area),
    }


def _whole_px(area: str) -> int:
    """Return an area in whole pixels."""
    area_px = Area.parse(area).in_px(None)
    if area_px is None:
        raise SettingsError(
            f"--min-area {area} (instances.min_area): training and model file have pixels; give it in px"
        )
    return math.ceil(area_px)


def _fields(kind: type, section: object) -> dict[str, Any]:
    """Return those values of a section that a dataclass has fields for."""
    return {field.name: getattr(section, field.name) for field in fields(kind)}
