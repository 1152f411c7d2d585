"""``beadctl simulate``: images of beads with exact label images."""

from pathlib import Path
from typing import Annotated

import typer

from beadctl.cli import options
from beadctl.cli.settings import Loaded
from beadctl.console import Messages


@options.command(data="size seed", output="overwrite")
def simulate(
    loaded: Loaded,
    messages: Messages,
    out: Annotated[Path, typer.Argument(help="Folder to write images/, masks/ and manifest.csv to.")],
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Number of images.")] = 50,
    suspensions: Annotated[
        bool,
        typer.Option("--suspensions", help="Beads of one look at random places, as in a chamber."),
    ] = False,
) -> None:
    """Write simulated bead images with exact label images; the same seed gives the same bytes.

    Example: beadctl simulate simulated --count 20 --size 256
    """
    from beadctl.simulate import write

    data, overwrite = loaded.settings.data, loaded.settings.output.overwrite
    with messages.progress(count, "simulating") as advance:
        paths = write(
            out,
            count,
            data.size,
            data.seed,
            suspensions=suspensions,
            overwrite=overwrite,
            on_image=advance,
        )
    messages.info(f"{len(paths)} images in {out / 'images'}, their label images in {out / 'masks'}")
