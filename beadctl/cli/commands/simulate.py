"""``beadctl simulate``: images of beads with exact label images."""

from pathlib import Path
from typing import Annotated

import typer

from beadctl import console
from beadctl.cli import options, settings


def simulate(
    out: Annotated[Path, typer.Argument(help="Folder to write images/, masks/ and manifest.csv to.")],
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Number of images.")] = 50,
    context: typer.Context = None,  # type: ignore[assignment]
    size: options.Size = None,
    seed: options.Seed = None,
    overwrite: options.Overwrite = None,
    config: options.Config = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Write simulated bead images with exact label images; the same seed gives the same bytes.

    Example: beadctl simulate simulated --count 20 --size 256
    """
    loaded = settings.load(config, options.given(context.params)).settings
    from beadctl.simulate import write

    messages = console.Messages.of(quiet, verbose)
    with messages.progress(count, "simulating") as advance:
        paths = write(
            out,
            count,
            loaded.data.size,
            loaded.data.seed,
            overwrite=loaded.output.overwrite,
            on_image=advance,
        )
    messages.info(f"{len(paths)} images in {out / 'images'}, their label images in {out / 'masks'}")
