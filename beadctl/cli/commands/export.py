"""``beadctl export``: a training run into one self-describing ONNX file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from beadctl.cli import options
from beadctl.cli.settings import Loaded
from beadctl.console import Messages

DEFAULT = Path("bead.onnx")


@options.command(export="*", instances="threshold marker_threshold min_area", output="overwrite")
def export(
    loaded: Loaded,
    messages: Messages,
    run: Annotated[
        Path, typer.Argument(help="Folder of a training run, a checkpoint, a model file, or: default.")
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help=options.with_default("Model file to write", DEFAULT),
            show_default=False,
            rich_help_panel=options.OUTPUT,
        ),
    ] = DEFAULT,
    int8: Annotated[
        bool,
        typer.Option("--int8", help="Eight-bit integers, for CPUs", rich_help_panel=options.MODEL),
    ] = False,
    fp16: Annotated[
        bool, typer.Option("--fp16", help="Half precision, for GPUs", rich_help_panel=options.MODEL)
    ] = False,
    calibration: Annotated[
        list[Path] | None,
        typer.Option(
            help="Images to measure --int8 on, and to compare --int8 or --fp16 with single precision",
            metavar="<path>",
            rich_help_panel=options.MODEL,
        ),
    ] = None,
    bioimageio: Annotated[
        Path | None,
        typer.Option(
            help="Write also a package of the BioImage Model Zoo (.zip); of a model file, only it",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
) -> None:
    """Write a model file with its facts, batch normalisation folded, and compare it with PyTorch.

    Example: beadctl export runs/mine -o mine.onnx --name mine --licence CC0-1.0
    """
    from beadctl.cli import arguments
    from beadctl.cli.settings import require_folder
    from beadctl.model.session import named
    from beadctl.zoo.package import Package

    require_folder(out)
    require_folder(bioimageio, "--bioimageio")
    run, overwrite, stated = named(run), loaded.settings.output.overwrite, arguments.stated(loaded)
    package = Package(bioimageio, **stated, overwrite=overwrite) if bioimageio else None
    if package:
        package.require_possible(run)
    if not package or run.suffix != ".onnx" or int8 or fp16 or calibration:
        run = _model_file(loaded, messages, run, out, calibration or (), int8=int8, fp16=fp16)
    if package:
        messages.info(f"{package.out}: {package.write(run)}")


def _model_file(
    loaded: Loaded, messages: Messages, run: Path, out: Path, calibration: Sequence[Path], **reduced: bool
) -> Path:
    """Write the model file and return its path."""
    from beadctl.cli import arguments, training_arguments
    from beadctl.training.conversion import Reduced, convert, in_single_precision
    from beadctl.training.export import export as export_

    settings = loaded.settings
    precision = Reduced.asked(run, calibration, **reduced)
    options, blend = training_arguments.export_options(settings), training_arguments.export_blend(settings)
    overwrite = settings.output.overwrite
    if precision is None:
        report = export_(run, out, options, blend=blend, overwrite=overwrite)
        messages.info(f"{out}: {report}")
        if report.doubt:
            messages.warn(f"{out}: {report.doubt}")
        return out
    images, read = arguments.images(settings, calibration, messages), arguments.read_options(settings)
    with in_single_precision(run, options, blend) as source:
        drift = convert(source, out, precision, images, read=read, overwrite=overwrite, messages=messages)
    messages.info(f"{out}: {precision}; {drift}")
    return out
