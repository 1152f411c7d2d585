"""Everything that determines what a training run computes, in one frozen object."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from beadctl.errors import TrainingError
from beadctl.losses import Loss, LossParameters
from beadctl.training.architecture import Architecture
from beadctl.training.choices import ArchName, PrecisionName, ScheduleName, SelectName
from beadctl.training.shown import INPUT
from beadctl.weighting import WeightingName, WeightingParameters

# Fields of plans and records that are about the marker map.
MARKER_FIELDS = ("marker_weight", "marker_threshold", "marker_loss")

# What a resumed run may change; any other number would make it another run.
MAY_CHANGE = ("epochs", "max_minutes", "patience")


@dataclass(frozen=True)
class Origin:
    """Weights that a run started from: name of their file or folder, or ``default``, and their SHA-256."""

    source: str
    sha256: str


@dataclass(frozen=True)
class TrainingPlan:
    """The numbers of a run.

    Attributes
    ----------
    start : Origin or None
        Weights that the run starts from; None for random ones.
    simulate : int
        Fresh simulated scenes an epoch; 0 to train on tiles.
    loss, loss_parameters
        Loss of the foreground, and its numbers.
    marker_weight, contact_weight : float
        Weight of the marker map's loss beside it, and the extra weight in it of pixels where beads touch.
    weighting, weighting_parameters
        How the weights of the terms change while training, and its numbers.
    size : int
        Edge of a training sample, px, a multiple of the network's stride.
    epochs : int
        Passes over the training data, at most.
    steps_per_epoch : int or None
        Optimiser steps in an epoch; None for one pass over the tiles or scenes.
    max_minutes : float or None
        Time for the run, over all its sessions; the learning rate is planned for it.
    batch_size, accumulate : int
        Samples in a micro-batch, which are in memory at once, and micro-batches in an optimiser step.
    lr, weight_decay, warmup_epochs, final_lr_fraction
        AdamW's peak rate and decay, length of the warm-up, last rate as a share of the peak.
    schedule, plateau_epochs, plateau_factor
        How the rate falls; epochs without a better selected figure before it falls by the factor.
    select : SelectName
        Validation figure by which the best epoch is chosen.
    patience : int
        Epochs without a better selected figure before the run ends.
    clip_norm, ema_decay : float
        Largest norm of the gradient, infinity for no limit; decay of the moving average of the weights.
    arch, width, depth, max_channels, dropout, dilation, inputs
        See `Architecture`.
    precision : PrecisionName
        Arithmetic of the convolutions.
    augment : bool
        Whether samples are augmented, or only cut.
    seed : int
        Of every random choice.
    threshold, marker_threshold, min_area_px
        How validation turns maps into beads.
    validation_scenes : int
        Simulated scenes to validate on, when training on simulated ones.
    """

    start: Origin | None = None
    simulate: int = 0
    loss: Loss = Loss.COMBINED
    loss_parameters: LossParameters = field(default_factory=LossParameters)
    marker_weight: float = 1.0
    contact_weight: float = 4.0
    weighting: WeightingName = WeightingName.FIXED
    weighting_parameters: WeightingParameters = field(default_factory=WeightingParameters)
    size: int = 512
    epochs: int = 100
    steps_per_epoch: int | None = None
    max_minutes: float | None = None
    batch_size: int = 4
    accumulate: int = 1
    lr: float = 1e-3
    weight_decay: float = 1e-2
    warmup_epochs: float = 1.0
    final_lr_fraction: float = 0.01
    schedule: ScheduleName = ScheduleName.COSINE
    plateau_epochs: int = 5
    plateau_factor: float = 0.5
    select: SelectName = SelectName.F1
    patience: int = 25
    clip_norm: float = 1.0
    ema_decay: float = 0.995
    arch: ArchName = ArchName.UNET
    width: int = 16
    depth: int = 4
    max_channels: int = 512
    dropout: float = 0.1
    dilation: int = 1
    inputs: int = INPUT.channels
    precision: PrecisionName = PrecisionName.AUTO
    augment: bool = True
    seed: int = 0
    threshold: float = 0.5
    marker_threshold: float = 0.5
    min_area_px: int = 4
    validation_scenes: int = 32

    def __post_init__(self) -> None:
        stride = self.architecture.stride
        if self.size % stride:
            raise TrainingError(
                f"a sample of {self.size} px does not fit a network of depth {self.depth}; "
                f"choose a size that is a multiple of {stride}"
            )

    @property
    def architecture(self) -> Architecture:
        """The network to train."""
        return Architecture(
            self.width,
            self.depth,
            self.dropout,
            self.max_channels,
            self.arch.value,
            self.dilation,
            self.inputs,
        )

    @property
    def group(self) -> int:
        """Samples in an optimiser step."""
        return self.batch_size * self.accumulate

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for a checkpoint or JSON."""
        # A member of a StrEnum is a str too, but reading a checkpoint admits no classes.
        return {
            name: value.value if isinstance(value, StrEnum) else value for name, value in asdict(self).items()
        }

    def require_same(self, before: dict[str, Any], source: str) -> None:
        """Check a run to resume, `source` in messages, against its `as_dict` from when it was started.

        Raises
        ------
        TrainingError
            If one differs; the message names it.
        """
        for name, value in self.as_dict().items():
            earlier = before.get(name)
            if name not in MAY_CHANGE and not same(name, value, earlier):
                raise TrainingError(
                    f"{source}: was started with {name} = {value_text(earlier)}, not {value_text(value)}; "
                    "resume with the same settings, or start a new run"
                )


def current_names(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plan or the epoch record of an older file by today's names.

    Before version 0.2 the marker map was called seed map.
    """
    renamed = {name.replace("marker", "seed"): name for name in MARKER_FIELDS}
    return {renamed.get(name, name): value for name, value in numbers.items()}


def same(name: str, value: Any, before: Any) -> bool:
    """Return whether two plain values of a field are the same; a start is compared by its SHA-256."""
    if name == "start" and value and before:
        return bool(value["sha256"] == before["sha256"])
    return bool(value == before)


def value_text(value: Any) -> str:
    """Return a plain value of a plan as text for a message."""
    match value:
        case {"source": source, "sha256": digest}:
            return f"{source} (SHA-256 {digest[:12]}...)"
        case None:
            return "none"
    return str(value)
