"""``beadctl compare-losses``: the same tiles and budget for every loss, over several seeds."""

from enum import StrEnum
from functools import partial
from typing import Annotated, Any

import typer

from beadctl.cli import options
from beadctl.cli.settings import Loaded
from beadctl.console import Messages
from beadctl.errors import ExitCode
from beadctl.losses import Loss
from beadctl.weighting import WeightingName

LOSSES, SEEDS = "dice,focal,combined", 3


def _several(flag: str, what: str, panel: str, family: type[StrEnum] | None = None) -> Any:
    completion = options.list_of(family) if family else None
    return typer.Option(
        flag,
        help=options.with_default(f"{what}, separated by commas", "the setting"),
        show_default=False,
        metavar="<list>",
        rich_help_panel=panel,
        autocompletion=completion,
    )


@options.command(
    out_dir="runs/compare-losses",
    words=options.TRAINING_WORDS,
    data="tiles size seed",
    train="start simulate epochs steps_per_epoch max_minutes accumulate warmup_epochs schedule arch width "
    "depth max_channels dilation ema_decay precision augment workers",
    inference="device threads",
    cluster="workers",
    output="out_dir format",
)
def compare_losses(
    loaded: Loaded,
    messages: Messages,
    losses: Annotated[
        str,
        typer.Option(
            help=options.with_default("Losses, separated by commas, or `all`", LOSSES),
            show_default=False,
            metavar="<list>",
            rich_help_panel=options.LOSS,
            autocompletion=options.list_of(Loss),
        ),
    ] = LOSSES,
    seeds: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="<int>",
            help=options.with_default("Runs of each setting, with seeds --seed, +1, ...", SEEDS),
            show_default=False,
            rich_help_panel=options.RUN,
        ),
    ] = SEEDS,
    shard: options.ShardText = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Run again what failed.", rich_help_panel=options.RUN)
    ] = False,
    gradient_audit: options.GradientAudit = False,
    pictures: Annotated[
        bool,
        typer.Option(
            "--pictures/--no-pictures",
            help=options.with_default("Draw the best and worst tiles into the report", "pictures"),
            show_default=False,
            rich_help_panel=options.OUTPUT,
        ),
    ] = True,
    dropouts: Annotated[str | None, _several("--dropout", "Dropouts", options.NETWORK)] = None,
    batch_sizes: Annotated[str | None, _several("--batch-size", "Batch sizes", options.OPTIMISER)] = None,
    lrs: Annotated[str | None, _several("--lr", "Learning rates", options.OPTIMISER)] = None,
    weightings: Annotated[
        str | None, _several("--weighting", "Weightings", options.LOSS, WeightingName)
    ] = None,
) -> ExitCode:
    """Train with each loss and seed, and write tables, a report and a verdict; finished runs are kept.

    Example: beadctl compare-losses --losses dice,focal --seeds 3 --tiles tiles --epochs 20
    """
    from beadctl.cli.training_arguments import asked, train_setting, trial_workers
    from beadctl.study import grid
    from beadctl.study.order import TrialOrder
    from beadctl.study.run import DEFAULT_FOLDER, report, run_missing
    from beadctl.training.preparation import prepared

    run = prepared(asked(loaded, gradient_audit=gradient_audit), messages)
    trials = grid.trials(
        dict(zip(grid.FLAGS, (losses, weightings, lrs, batch_sizes, dropouts), strict=True)),
        seeds,
        run.plan,
        run.options.settings,
        partial(train_setting, loaded),
    )
    out, tiles = loaded.settings.output.out_dir or DEFAULT_FOLDER, run.tiles
    mine = grid.shard(trials, shard)
    cluster = trial_workers(loaded.settings, TrialOrder(out, tiles, run.start, run.options, retry), messages)
    run_missing(
        mine, out, messages, tiles=tiles, start=run.start, options=run.options, retry=retry, cluster=cluster
    )
    form = loaded.settings.output.format
    return report(trials, out, messages, tiles=tiles, pictures=pictures, form=form)
