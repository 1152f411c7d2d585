"""``beadctl info``: versions, the effective settings, the facts of a file, or the devices compared."""

from dataclasses import astuple
from pathlib import Path
from typing import Annotated

import typer

from beadctl import console
from beadctl.cli import options
from beadctl.cli.settings import Loaded
from beadctl.console import Messages


@options.command(
    words={"output.format": "Form of the facts on standard output; auto: table"},
    data="axes channel plane series",
    output="format",
)
def info(
    loaded: Loaded,
    messages: Messages,
    file: Annotated[Path | None, typer.Argument(help="An image or a model to describe.")] = None,
    show_settings: Annotated[
        bool, typer.Option("--settings", help="Print every setting and where its value comes from.")
    ] = False,
    show_devices: Annotated[
        bool,
        typer.Option("--devices", help="Run the model on each device that is installed, and compare them."),
    ] = False,
) -> None:
    """Print versions, the effective settings, the facts of an image or a model, or the devices compared.

    Prints a table, in a pipe too.

    Example: beadctl info image.tif
    """
    form = loaded.settings.output.format.chosen(console.Form.TABLE)
    if show_settings:
        console.print_rows(form, ("setting", "value", "from"), loaded.rows())
        return
    if show_devices:
        from beadctl.model.device_trial import COLUMNS, try_devices

        console.print_rows(form, COLUMNS, map(astuple, try_devices(file)))
        return
    from beadctl.cli import arguments
    from beadctl.images.description import describe_image
    from beadctl.model.description import describe_installation, describe_model

    if file is None:
        facts = describe_installation()
    elif file.suffix.lower() == ".onnx":
        facts = describe_model(file)
    else:
        facts = describe_image(file, arguments.read_options(loaded.settings))
    console.print_record(form, dict(facts), ("fact", "value"), facts)
