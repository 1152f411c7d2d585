"""``beadctl train``: a network from tiles, or from simulated scenes."""

from typing import Annotated

import typer

from beadctl.cli import options
from beadctl.cli.settings import Loaded
from beadctl.console import Messages
from beadctl.errors import ExitCode


@options.command(
    log=True,
    out_dir="runs/<loss>-<size>",
    data="tiles size seed",
    train="*",
    loss="*",
    inference="device threads",
    output="out_dir",
)
def train(
    loaded: Loaded,
    messages: Messages,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on with the run in the folder of the results", rich_help_panel=options.RUN
        ),
    ] = False,
    gradient_audit: options.GradientAudit = False,
) -> ExitCode:
    """Train a U-Net on tiles; writes the best and the last checkpoint, and the learning curves.

    Example: beadctl train --tiles tiles -o runs/mine --epochs 50
    """
    from beadctl.cli import training_arguments as arguments
    from beadctl.training.run import learn

    loaded = arguments.tile_sized(loaded, messages)
    out = arguments.run_folder(loaded.settings)
    chosen, start = arguments.first_weights(loaded, out if resume else None)
    return learn(
        arguments.training_plan(chosen, start),
        out,
        messages,
        tiles=arguments.training_tiles(chosen),
        start=start,
        options=arguments.train_options(chosen, resume=resume, gradient_audit=gradient_audit),
    )
