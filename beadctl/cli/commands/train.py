"""``beadctl train``: a network from tiles, or from simulated scenes."""

from dataclasses import replace
from typing import Annotated

import typer

from beadctl.cli import options
from beadctl.cli.settings import Loaded
from beadctl.console import Messages
from beadctl.errors import ExitCode


@options.command(
    log=True,
    several=True,
    out_dir="runs/<loss>-<size>",
    words=options.TRAINING_WORDS,
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
    from beadctl.training.options import together
    from beadctl.training.preparation import prepared
    from beadctl.training.run import learn

    asked = arguments.asked(loaded, resume=resume, gradient_audit=gradient_audit)
    with together(asked.options) as options:
        return learn(prepared(replace(asked, options=options), messages), messages)
