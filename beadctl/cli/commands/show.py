"""``beadctl show``: overlays of an image or of a finished run, in the terminal."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from beadctl.cli import options
from beadctl.cli.settings import Loaded
from beadctl.console import Messages
from beadctl.errors import ExitCode, OutputError, SettingsError


@options.command(
    data="axes channel plane series pixel_size region region_exclude counting_frame project",
    inference="*",
    instances="*",
)
def show(
    loaded: Loaded,
    messages: Messages,
    path: Annotated[Path, typer.Argument(help="An image, or a folder of results of segment.")],
    names: Annotated[
        list[str] | None, typer.Argument(help="Images of that run, such as a.tif or 'day1/*'.")
    ] = None,
    is_opened: Annotated[
        bool, typer.Option("--open", help="Open the overlays with the viewer of the system too.")
    ] = False,
) -> ExitCode:
    """Print an image with the outlines of its beads in the terminal, or the overlays of a finished run.

    Of a run, planes with a quality flag come first. Nothing is written, except with --open of an image.

    Example: beadctl show image.tif
    """
    from beadctl.cli import arguments
    from beadctl.console.screen import Screen
    from beadctl.results.show import files_of, of_image, of_run, tell

    if path.is_dir():
        chosen = of_run(path, names or ())
    elif names:
        raise SettingsError(f"{path}: is a file, and names of images belong to a run; leave them out")
    else:
        open_network = partial(arguments.by_network, loaded.settings, messages)
        chosen = of_image(path, arguments.read_options(loaded.settings), open_network)
    told, failed = tell(chosen, Screen.here(), messages)
    for file in files_of(told) if is_opened else ():
        messages.info(f"opening {file}")
        if typer.launch(str(file)):
            raise OutputError(f"{file}: no viewer could be started; open it by hand")
    return ExitCode.of(failed=failed)
