"""``beadctl compare-losses``: the same tiles and budget for each loss, over several seeds."""

from pathlib import Path
from typing import Annotated

import typer

from beadctl import console, options, settings


def compare_losses(
    context: typer.Context,
    losses: Annotated[str, typer.Option(help="Losses, separated by commas.")] = "dice,focal,combined",
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each loss, with seeds 0, 1, ...")] = 3,
    tiles: options.Tiles = None,
    out_dir: options.OutDir = None,
    size: options.Size = None,
    epochs: options.Epochs = None,
    max_minutes: options.MaxMinutes = None,
    batch_size: options.BatchSize = None,
    accumulate: options.Accumulate = None,
    lr: options.LearningRate = None,
    width: options.Width = None,
    depth: options.Depth = None,
    dropout: options.Dropout = None,
    precision: options.Precision = None,
    device: options.Device = None,
    threads: options.Threads = None,
    config: options.Config = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Train each loss with each seed and print a table and a verdict; finished runs are not run again."""
    loaded = settings.load(config, options.given(context.params)).settings
    from beadctl import compare
    from beadctl.commands import learning
    from beadctl.ledger import cell

    voice = console.voice(quiet, verbose)
    names = learning.losses(losses)
    out = loaded.output.out_dir or Path("runs/compare-losses")
    outcomes = []
    for seed in range(seeds):
        for loss in names:
            outcomes.append(learning.outcome(loaded, loss, seed, out, voice))
            compare.write(out / "runs.csv", outcomes)
    rows = compare.summarise(outcomes, names)
    shown = [tuple(cell(value) for value in vars(row).values()) for row in rows]
    console.print_table("Best validation Jaccard", tuple(vars(rows[0])), shown, to_stdout=True)
    voice.say(compare.verdict(rows))
    return 1 if any(run.reason for run in outcomes) else 0
