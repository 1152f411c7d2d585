"""``beadctl info``: versions and devices, the effective settings, or what a file is."""

from pathlib import Path
from typing import Annotated

import typer

from beadctl import console
from beadctl.cli import options, settings


def info(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="An image or a model to describe.")] = None,
    show_settings: Annotated[
        bool, typer.Option("--settings", help="Print every setting and where its value comes from.")
    ] = False,
    axes: options.Axes = None,
    channel: options.Channel = None,
    plane: options.PlaneNumber = None,
    config: options.Config = None,
) -> None:
    """Print versions and devices; --settings: the effective settings; FILE: what an image or a model is."""
    loaded = settings.load(config, options.given(context.params))
    if show_settings:
        console.print_table("", ("setting", "value", "from"), loaded.rows(), to_stdout=True)
        return
    from beadctl.cli import arguments, description

    if file is None:
        rows = description.of_installation()
    elif file.suffix.lower() == ".onnx":
        rows = description.of_model(file)
    else:
        rows = description.of_image(file, arguments.read_options(loaded.settings))
    console.print_table("" if file is None else str(file), ("", ""), rows, to_stdout=True)
