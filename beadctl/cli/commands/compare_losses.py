"""``beadctl compare-losses``: the same tiles and budget for every loss, over several seeds."""

from functools import partial
from typing import Annotated

import typer

from beadctl import console
from beadctl.cli import options, settings
from beadctl.errors import ExitCode
from beadctl.losses import Loss

LOSSES, SEEDS = "dice,focal,combined", 3


def compare_losses(
    context: typer.Context,
    losses: Annotated[
        str,
        typer.Option(
            help=options.with_default("Losses, separated by commas, or `all`", LOSSES),
            show_default=False,
            autocompletion=options.list_of(Loss),
        ),
    ] = LOSSES,
    seeds: Annotated[
        int,
        typer.Option(
            min=1,
            help=options.with_default("Runs of each setting, with seeds --seed, +1, ...", SEEDS),
            show_default=False,
        ),
    ] = SEEDS,
    tiles: options.Tiles = None,
    size: options.Size = None,
    simulate: options.Simulate = None,
    augment: options.Augment = None,
    start: options.Start = None,
    arch: options.Arch = None,
    width: options.Width = None,
    depth: options.Depth = None,
    max_channels: options.MaxChannels = None,
    dilation: options.Dilation = None,
    dropouts: Annotated[
        str | None,
        typer.Option("--dropout", help="Dropouts, separated by commas.", rich_help_panel=options.NETWORK),
    ] = None,
    batch_sizes: Annotated[
        str | None,
        typer.Option(
            "--batch-size", help="Batch sizes, separated by commas.", rich_help_panel=options.OPTIMISER
        ),
    ] = None,
    lrs: Annotated[
        str | None,
        typer.Option("--lr", help="Learning rates, separated by commas.", rich_help_panel=options.OPTIMISER),
    ] = None,
    accumulate: options.Accumulate = None,
    warmup_epochs: options.WarmupEpochs = None,
    schedule: options.Schedule = None,
    ema_decay: options.EmaDecay = None,
    weightings: Annotated[
        str | None,
        typer.Option("--weighting", help="Weightings, separated by commas.", rich_help_panel=options.LOSS),
    ] = None,
    epochs: options.Epochs = None,
    steps_per_epoch: options.StepsPerEpoch = None,
    max_minutes: options.MaxMinutes = None,
    seed: options.Seed = None,
    device: options.Device = None,
    precision: options.Precision = None,
    threads: options.Threads = None,
    workers: options.Workers = None,
    shard: Annotated[
        str | None,
        typer.Option(
            help="Run only every N-th run: K/N, K from 1, for a job array.", rich_help_panel=options.RUN
        ),
    ] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Run again what failed.", rich_help_panel=options.RUN)
    ] = False,
    gradient_audit: options.GradientAudit = False,
    out_dir: options.CompareDir = None,
    pictures: Annotated[
        bool,
        typer.Option(
            "--pictures/--no-pictures",
            help=options.with_default("Draw the best and worst tiles into the report", "pictures"),
            show_default=False,
            rich_help_panel=options.OUTPUT,
        ),
    ] = True,
    format: options.TableForm = None,  # noqa: A002  the flag is --format
    config: options.Config = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> ExitCode:
    """Train with each loss and seed, and write tables, a report and a verdict; finished runs are kept.

    Example: beadctl compare-losses --losses dice,focal --seeds 3 --tiles tiles --epochs 20
    """
    flags = options.given(context.params)
    loaded = settings.load(config, flags)
    from beadctl.cli import arguments
    from beadctl.cli import training_arguments as training
    from beadctl.study import grid
    from beadctl.study.run import DEFAULT_FOLDER, report, run_missing

    chosen, weights = training.first_weights(loaded)
    trials = grid.trials(
        dict(zip(grid.FLAGS, (losses, weightings, lrs, batch_sizes, dropouts), strict=True)),
        seeds,
        training.training_plan(chosen, weights),
        arguments.plain(chosen),
        partial(arguments.train_setting, config, flags),
    )
    out, folder = chosen.output.out_dir or DEFAULT_FOLDER, training.training_tiles(chosen)
    messages = console.Messages.of(quiet, verbose)
    how = training.train_options(chosen, gradient_audit=gradient_audit)
    mine = grid.shard(trials, shard)
    run_missing(mine, out, messages, tiles=folder, start=weights, options=how, retry=retry)
    form = chosen.output.format
    return report(trials, out, messages, tiles=folder, pictures=pictures, form=form)
