"""``beadctl count``: how many beads each image holds, as a table on standard output."""

from pathlib import Path
from typing import Annotated

import typer

from beadctl import console, options, settings


def count(
    context: typer.Context,
    inputs: Annotated[list[Path], typer.Argument(help="Images, or folders of images.")],
    model: options.ModelFile = None,
    out_dir: options.OutDir = None,
    format: options.Format = None,  # noqa: A002  the flag is --format
    device: options.Device = None,
    diameter: options.Diameter = None,
    tile_size: options.TileSize = None,
    threads: options.Threads = None,
    threshold: options.Threshold = None,
    seed_threshold: options.SeedThreshold = None,
    seed_rise: options.SeedRise = None,
    min_confidence: options.MinConfidence = None,
    min_area: options.MinArea = None,
    exclude_border: options.ExcludeBorder = None,
    pixel_size: options.PixelSize = None,
    axes: options.Axes = None,
    channel: options.Channel = None,
    plane: options.PlaneNumber = None,
    overwrite: options.Overwrite = None,
    config: options.Config = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Print one row a plane: a table on a terminal, CSV in a pipe. Files are written only with -o."""
    loaded = settings.load(config, options.given(context.params))
    from beadctl.commands import running
    from beadctl.writers.table import Form, printer

    voice = console.voice(quiet, verbose)
    with running.opened(inputs, loaded, voice, folder=loaded.settings.output.out_dir) as job:
        # Only now is there anything to tell: what fails before prints no header either.
        show = printer(Form.chosen(loaded.settings.output.format))
        parts = job.finish(voice, show.row)
    show.end()
    return running.exit_code(parts)
