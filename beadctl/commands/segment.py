"""``beadctl segment``: label images, overlays and tables of a folder of images."""

from pathlib import Path
from typing import Annotated

import typer

from beadctl import console, options, settings


def segment(
    context: typer.Context,
    inputs: Annotated[list[Path], typer.Argument(help="Images, or folders of images.")],
    model: options.ModelFile = None,
    out_dir: options.OutDir = None,
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
    overlays: options.Overlays = None,
    overwrite: options.Overwrite = None,
    config: options.Config = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Write masks, overlays, beads.csv and counts.csv of every image to ./segmented."""
    loaded = settings.load(config, options.given(context.params))
    from beadctl.commands import running

    out = loaded.settings.output.out_dir or Path("segmented")
    voice = console.voice(quiet, verbose)
    with running.opened(inputs, loaded, voice, folder=out, with_masks=True) as job:
        parts = job.finish(voice)
    voice.table(f"Beads in {out}", running.SUMMARY, running.summary(parts))
    return running.exit_code(parts)
