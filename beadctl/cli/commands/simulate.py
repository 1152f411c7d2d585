"""``beadctl simulate``: images of beads with exact label images."""

from pathlib import Path
from typing import Annotated

import typer

from beadctl.cli import options
from beadctl.cli.settings import Loaded
from beadctl.console import Messages
from beadctl.words import number_of

COUNT = 50


@options.command(data="size seed", output="overwrite")
def simulate(
    loaded: Loaded,
    messages: Messages,
    out: Annotated[Path, typer.Argument(help="Folder to write images/, masks/ and manifest.csv to.")],
    count: Annotated[
        int,
        typer.Option(
            "--count",
            "-n",
            min=1,
            metavar="<int>",
            help=options.with_default("Number of images", COUNT),
            show_default=False,
            rich_help_panel=options.TILES,
        ),
    ] = COUNT,
    suspensions: Annotated[
        bool,
        typer.Option(
            "--suspensions",
            help="Beads of one look at random places, as in a chamber",
            rich_help_panel=options.TILES,
        ),
    ] = False,
) -> None:
    """Write simulated bead images with exact label images; the same seed gives the same bytes.

    Example: beadctl simulate simulated --count 20 --size 256
    """
    from beadctl import lock
    from beadctl.cli.settings import require_folder
    from beadctl.simulate import write

    require_folder(out, "")
    data, overwrite = loaded.settings.data, loaded.settings.output.overwrite
    with lock.held(out, messages.info), messages.progress(count, "simulating") as advance:
        paths = write(
            out,
            count,
            data.size,
            data.seed,
            suspensions=suspensions,
            overwrite=overwrite,
            on_image=advance,
        )
    messages.info(f"{out}: {number_of(len(paths), 'image')} in images, label images in masks")
