"""``beadctl compare-losses``: the same tiles and budget for every loss, over several seeds."""

from pathlib import Path
from typing import Annotated

import typer

from beadctl import console
from beadctl.cli import options


def compare_losses(
    context: typer.Context,
    losses: Annotated[
        str, typer.Option(help="Losses, separated by commas, or `all`.")
    ] = "dice,focal,combined",
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each setting, with seeds --seed, +1, ...")] = 3,
    weightings: Annotated[
        str | None, typer.Option("--weighting", help="Weightings, separated by commas.")
    ] = None,
    lrs: Annotated[str | None, typer.Option("--lr", help="Learning rates, separated by commas.")] = None,
    batch_sizes: Annotated[
        str | None, typer.Option("--batch-size", help="Batch sizes, separated by commas.")
    ] = None,
    dropouts: Annotated[str | None, typer.Option("--dropout", help="Dropouts, separated by commas.")] = None,
    tiles: options.Tiles = None,
    out_dir: options.OutDir = None,
    start: options.Start = None,
    size: options.Size = None,
    epochs: options.Epochs = None,
    steps_per_epoch: options.StepsPerEpoch = None,
    max_minutes: options.MaxMinutes = None,
    accumulate: options.Accumulate = None,
    warmup_epochs: options.WarmupEpochs = None,
    schedule: options.Schedule = None,
    arch: options.Arch = None,
    width: options.Width = None,
    depth: options.Depth = None,
    max_channels: options.MaxChannels = None,
    dilation: options.Dilation = None,
    ema_decay: options.EmaDecay = None,
    precision: options.Precision = None,
    augment: options.Augment = None,
    simulate: options.Simulate = None,
    seed: options.Seed = None,
    device: options.Device = None,
    threads: options.Threads = None,
    workers: options.Workers = None,
    shard: Annotated[
        str | None, typer.Option(help="Run only every N-th run: K/N, K from 1, for a job array.")
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Run again what failed.")] = False,
    gradient_audit: Annotated[
        bool,
        typer.Option("--gradient-audit", help="Measure in each epoch where each loss's gradient falls."),
    ] = False,
    with_pictures: Annotated[
        bool,
        typer.Option("--pictures/--no-pictures", help="Draw the best and worst tiles into the report."),
    ] = True,
    config: options.Config = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Train with each loss and seed, and write tables, a report and a verdict; finished runs are kept."""
    from beadctl.cli.commands import comparing

    messages = console.Messages.of(quiet, verbose)
    lists = comparing.Lists(losses, weightings, lrs, batch_sizes, dropouts, seeds)
    loaded, begin, trials = comparing.trials(config, options.given(context.params), lists)
    out = loaded.output.out_dir or Path("runs/compare-losses")
    comparing.run(
        loaded,
        begin,
        comparing.mine(trials, shard),
        out,
        messages,
        retry=retry,
        gradient_audit=gradient_audit,
    )
    found = comparing.report(loaded, trials, out, messages, with_pictures=with_pictures)
    return 1 if any(not one.finished for one in found) else 0
