"""Settings as plain arguments of `beadctl.training`. Imports torch, so commands import this when they run."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from beadctl.cli.arguments import plain
from beadctl.cli.settings import Loaded, Settings
from beadctl.console import Messages
from beadctl.dataset.manifest import MANIFEST
from beadctl.losses import LossParameters
from beadctl.training.blend import Blend
from beadctl.training.choices import ArchName
from beadctl.training.export import ExportOptions
from beadctl.training.options import TrainOptions
from beadctl.training.plan import TrainingPlan
from beadctl.training.run import default_folder, sample_size
from beadctl.training.start import Start, begin, weights
from beadctl.weighting import WeightingParameters


def tile_sized(loaded: Loaded, messages: Messages) -> Loaded:
    """Return the settings with the size of the tiles, unless a size was asked for or nothing is tiled."""
    settings = loaded.settings
    tiles, data = training_tiles(settings), settings.data
    # Missing tiles are reported where they are read, after the other settings are checked.
    if tiles is None or not (tiles / MANIFEST).exists():
        return loaded
    asked = None if loaded.origins["data.size"] == "default" else data.size
    size = sample_size(tiles, asked, settings.train.depth, messages)
    sized = settings.model_copy(update={"data": data.model_copy(update={"size": size})})
    return replace(loaded, settings=sized)


def run_folder(settings: Settings) -> Path:
    """Return the folder of a training run."""
    return settings.output.out_dir or default_folder(settings.loss.name, settings.data.size)


def training_tiles(settings: Settings) -> Path | None:
    """Return the folder of tiles to train on; None for simulated scenes."""
    return None if settings.train.simulate else settings.data.tiles


def first_weights(loaded: Loaded, run: Path | None = None) -> tuple[Settings, Start | None]:
    """Return the settings with a learning rate and the network, and the first weights; None for random ones.

    Those of a run to resume are in its folder, `run`.
    """
    train, origins = loaded.settings.train, loaded.origins
    network = {
        name: (getattr(train, name), origins[f"train.{name}"])
        for name in ("arch", "width", "depth", "max_channels", "dilation")
        if origins[f"train.{name}"] != "default"
    }
    start, known = begin(train.start, lr=train.lr, network=network, run=run)
    return loaded.settings.model_copy(update={"train": train.model_copy(update=known)}), start


def training_plan(settings: Settings, start: Start | None = None) -> TrainingPlan:
    """Return what a run computes, from settings and start as `first_weights` returned them."""
    loss = settings.loss
    plan = TrainingPlan(
        **settings.train.model_dump(exclude={"workers", "arch", "start"}),
        arch=ArchName(settings.train.arch),
        loss=loss.name,
        loss_parameters=LossParameters(**_fields(LossParameters, loss)),
        marker_weight=loss.marker_weight,
        contact_weight=loss.contact_weight,
        weighting=loss.weighting,
        weighting_parameters=WeightingParameters(**_fields(WeightingParameters, loss)),
        size=settings.data.size,
        seed=settings.data.seed,
        **{name: value for name, value in _instances(settings).items() if value is not None},
    )
    return start.planned(plan) if start else plan


def train_options(settings: Settings, *, resume: bool = False, gradient_audit: bool = False) -> TrainOptions:
    """Return how a training run is carried out."""
    return TrainOptions(
        device=settings.inference.device,
        workers=settings.train.workers,
        threads=settings.inference.threads,
        resume=resume,
        gradient_audit=gradient_audit,
        settings=plain(settings),
    )


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
        "min_area_px": section.min_area,
    }


def _fields(kind: type, section: object) -> dict[str, Any]:
    """Return those values of a section that a dataclass has fields for."""
    return {field.name: getattr(section, field.name) for field in fields(kind)}
