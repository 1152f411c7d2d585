"""``beadctl train``: a network from tiles, or from simulated scenes."""

from typing import Annotated

import typer

from beadctl import console
from beadctl.cli import options, settings


def train(
    context: typer.Context,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in the output folder.")
    ] = False,
    tiles: options.Tiles = None,
    size: options.Size = None,
    simulate: options.Simulate = None,
    augment: options.Augment = None,
    start: options.Start = None,
    arch: options.Arch = None,
    width: options.Width = None,
    depth: options.Depth = None,
    max_channels: options.MaxChannels = None,
    dropout: options.Dropout = None,
    dilation: options.Dilation = None,
    batch_size: options.BatchSize = None,
    accumulate: options.Accumulate = None,
    lr: options.LearningRate = None,
    weight_decay: options.WeightDecay = None,
    warmup_epochs: options.WarmupEpochs = None,
    schedule: options.Schedule = None,
    plateau_epochs: options.PlateauEpochs = None,
    plateau_factor: options.PlateauFactor = None,
    clip_norm: options.ClipNorm = None,
    ema_decay: options.EmaDecay = None,
    loss: options.LossName = None,
    weights: options.Weights = None,
    weighting: options.Weighting = None,
    ramp_from: options.RampFrom = None,
    ramp_epochs: options.RampEpochs = None,
    focal_alpha: options.FocalAlpha = None,
    focal_gamma: options.FocalGamma = None,
    tversky_alpha: options.TverskyAlpha = None,
    tversky_beta: options.TverskyBeta = None,
    tversky_gamma: options.TverskyGamma = None,
    boundary_px: options.BoundaryWidth = None,
    marker_weight: options.MarkerWeight = None,
    contact_weight: options.ContactWeight = None,
    epochs: options.Epochs = None,
    steps_per_epoch: options.StepsPerEpoch = None,
    max_minutes: options.MaxMinutes = None,
    patience: options.Patience = None,
    seed: options.Seed = None,
    device: options.Device = None,
    precision: options.Precision = None,
    threads: options.Threads = None,
    workers: options.Workers = None,
    gradient_audit: options.GradientAudit = False,
    out_dir: options.TrainDir = None,
    config: options.Config = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Train a U-Net on tiles; writes the best and the last checkpoint, and the learning curves.

    Example: beadctl train --tiles tiles -o runs/mine --epochs 50
    """
    loaded = settings.load(config, options.given(context.params))
    from beadctl.cli import training_arguments as arguments
    from beadctl.training.run import learn

    out = arguments.run_folder(loaded.settings)
    chosen, weights_at_start = arguments.first_weights(loaded, out if resume else None)
    return learn(
        arguments.training_plan(chosen, weights_at_start),
        out,
        console.Messages.of(quiet, verbose),
        tiles=arguments.training_tiles(chosen),
        start=weights_at_start,
        options=arguments.train_options(chosen, resume=resume, gradient_audit=gradient_audit),
    )
