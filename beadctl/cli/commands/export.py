"""``beadctl export``: a training run into one self-describing ONNX file."""

from pathlib import Path
from typing import Annotated

import typer

from beadctl import console
from beadctl.cli import options, settings


def export(
    context: typer.Context,
    run: Annotated[Path, typer.Argument(help="Folder of a training run, or a checkpoint.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Model file to write.")] = Path("bead.onnx"),
    opset: options.Opset = None,
    name: options.ModelName = None,
    licence: options.Licence = None,
    blend: options.BlendWith = None,
    blend_share: options.BlendShare = None,
    threshold: options.Threshold = None,
    marker_threshold: options.MarkerThreshold = None,
    min_area: options.MinArea = None,
    overwrite: options.Overwrite = None,
    config: options.Config = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Write a model file with its facts, batch normalisation folded, and compare it with PyTorch.

    Example: beadctl export runs/mine -o mine.onnx --name mine --licence CC0-1.0
    """
    loaded = settings.load(config, options.given(context.params)).settings
    from beadctl.cli import training_arguments as arguments
    from beadctl.training.export import export as export_

    report = export_(
        run,
        out,
        arguments.export_options(loaded),
        blend=arguments.export_blend(loaded),
        overwrite=loaded.output.overwrite,
    )
    console.Messages.of(quiet, verbose).info(f"{out}: {report}")
