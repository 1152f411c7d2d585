"""Settings of training and of the model file that is made by it."""

from typing import Self

from pydantic import ConfigDict, Field, model_validator

from beadctl.cli.sections.section import Fraction, Probability, Section, Texts, Weights
from beadctl.losses import Loss, checked_weights
from beadctl.training.choices import ArchName, PrecisionName, ScheduleName, SelectName
from beadctl.weighting import WeightingName


class Train(Section):
    """Network, optimiser and duration of a training run."""

    # Choices are checked as enums and kept as plain strings, which checkpoints can hold.
    model_config = ConfigDict(use_enum_values=True)

    start: str | None = Field(
        None,
        min_length=1,
        description="Weights to start from: default, a run's folder, a checkpoint or a model file; they "
        "determine the network [random].",
    )
    simulate: int = Field(
        0, ge=0, description="Simulated scenes an epoch to train on instead of tiles; 0: tiles."
    )
    epochs: int = Field(100, ge=1, description="Passes over the training tiles.")
    max_minutes: float | None = Field(
        None, gt=0, description="Plan the learning rate for, and stop after, this many minutes [no limit]."
    )
    batch_size: int = Field(4, ge=1, description="Tiles in a micro-batch.")
    accumulate: int = Field(1, ge=1, description="Accumulation steps: micro-batches in an optimiser step.")
    lr: float | None = Field(None, gt=0, description="Peak learning rate [0.001; 0.0003 with --from].")
    weight_decay: float = Field(1e-2, ge=0, description="AdamW weight decay.")
    warmup_epochs: float = Field(1.0, ge=0, description="Epochs in which the learning rate rises.")
    schedule: ScheduleName = Field(
        ScheduleName.COSINE, description="Fall of the learning rate; plateau lowers it when progress stops."
    )
    plateau_epochs: int = Field(
        5, ge=1, description="Plateau: epochs without a better validation figure before the rate falls."
    )
    plateau_factor: Probability = Field(0.5, description="Plateau: factor on the learning rate.")
    select: SelectName = Field(
        SelectName.F1, description="Validation figure that chooses the best epoch; f1 is of beads at IoU 0.5."
    )
    patience: int = Field(
        25, ge=1, description="Stop after this many epochs without a better validation figure."
    )
    arch: ArchName = Field(
        ArchName.UNET, description="Network; resunet: residual blocks, attention-unet: gated skips."
    )
    width: int = Field(16, ge=2, le=256, description="Channels of the first level; doubled at each level.")
    depth: int = Field(4, ge=2, le=7, description="Levels of the U-Net; the stride is 2^(depth-1).")
    steps_per_epoch: int | None = Field(
        None, ge=1, description="Optimiser steps of an epoch [one pass over the tiles]."
    )
    max_channels: int = Field(512, ge=2, description="Cap on the channels of a level.")
    dropout: Fraction = Field(0.1, description="Dropout in the deepest level.")
    dilation: int = Field(
        1, ge=1, le=16, description="Dilation in the deepest level; widens receptive field and halo."
    )
    clip_norm: float = Field(1.0, gt=0, description="Largest norm of the gradient of a step.")
    ema_decay: Fraction = Field(
        0.995, description="Decay of the weight average that is validated and exported."
    )
    precision: PrecisionName = Field(PrecisionName.AUTO, description="Arithmetic of training.")
    augment: bool = Field(True, description="Augment the tiles: geometry, intensity, both polarities.")
    workers: int | None = Field(None, ge=0, description="Processes that prepare tiles [by the CPU count].")
    tensorboard: bool = Field(
        False, description="Write TensorBoard event files into the run's folder as well."
    )


class LossSection(Section):
    """Training loss: its terms, their weights and parameters."""

    name: Loss = Field(Loss.COMBINED, description="Loss on the foreground.")
    weights: Weights | None = Field(
        None,
        description="Weights of the terms: dice,focal in `combined`; dice,focal,boundary in `multi-term` "
        "[0.7,0.3; 0.6,0.3,0.1].",
    )
    weighting: WeightingName = Field(
        WeightingName.FIXED,
        description="Weights while training; ramp: from --ramp-from, uncertainty: learned, balance: of "
        "gradients.",
    )
    ramp_from: Weights | None = Field(None, description="Ramp: weights at the start [equal shares].")
    ramp_epochs: float = Field(
        30.0, gt=0, description="Ramp: epochs until the weights are those of the loss."
    )
    focal_alpha: Probability = Field(0.25, description="Focal loss: weight of the foreground.")
    focal_gamma: float = Field(2.0, ge=0, description="Focal loss: focusing exponent.")
    tversky_alpha: float = Field(0.7, ge=0, description="Tversky losses: weight of missed bead pixels.")
    tversky_beta: float = Field(0.3, ge=0, description="Tversky losses: weight of false bead pixels.")
    tversky_gamma: float = Field(0.75, gt=0, description="Focal Tversky loss: exponent.")
    boundary_px: int = Field(
        2, ge=1, le=32, description="Boundary term: half the width of the band along the edges, px."
    )
    marker_weight: float = Field(1.0, ge=0, description="Weight of the marker map's loss.")
    contact_weight: float = Field(
        4.0, ge=0, description="Marker map's loss: extra weight of pixels where beads touch."
    )

    @model_validator(mode="after")
    def _one_weight_per_term(self) -> Self:
        for name in ("weights", "ramp_from"):
            try:
                checked_weights(self.name, getattr(self, name))
            except ValueError as error:
                given = ",".join(f"{weight:g}" for weight in getattr(self, name))
                raise ValueError(f"{name} = {given} does not fit: {error}") from None
        return self


class Export(Section):
    """The ONNX file that is made of a training run."""

    opset: int = Field(20, ge=18, le=20, description="ONNX operator set.")
    licence: str = Field("unspecified", description="Licence of the model, written into the file.")
    name: str = Field("bead", description="Name of the model, written into the file.")
    authors: Texts = Field((), description="Who made the model, for --bioimageio: names, with commas.")
    blend: str | None = Field(
        None,
        description="Weights to average with the run's, such as those it started from: default, a run's "
        "folder, a checkpoint or a model file [none].",
    )
    blend_share: float = Field(0.5, gt=0, lt=1, description="Share of the --blend weights in the average.")
