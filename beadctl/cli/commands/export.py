"""``beadctl export``: a training run into one self-describing ONNX file."""

from pathlib import Path
from typing import Annotated

import typer

from beadctl.cli import options
from beadctl.cli.settings import Loaded
from beadctl.console import Messages


@options.command(export="*", instances="threshold marker_threshold min_area", output="overwrite")
def export(
    loaded: Loaded,
    messages: Messages,
    run: Annotated[Path, typer.Argument(help="Folder of a training run, or a checkpoint.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Model file to write.")] = Path("bead.onnx"),
) -> None:
    """Write a model file with its facts, batch normalisation folded, and compare it with PyTorch.

    Example: beadctl export runs/mine -o mine.onnx --name mine --licence CC0-1.0
    """
    from beadctl.cli import training_arguments as arguments
    from beadctl.training.export import export as export_

    settings = loaded.settings
    report = export_(
        run,
        out,
        arguments.export_options(settings),
        blend=arguments.export_blend(settings),
        overwrite=settings.output.overwrite,
    )
    messages.info(f"{out}: {report}")
    if report.doubt:
        messages.warn(f"{out}: {report.doubt}")
