"""``beadctl segment``: label images, overlays and tables of a folder of images."""

from pathlib import Path
from typing import Annotated

import typer

from beadctl import console
from beadctl.cli import options, settings
from beadctl.errors import ExitCode


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
    marker_threshold: options.MarkerThreshold = None,
    marker_rise: options.MarkerRise = None,
    min_confidence: options.MinConfidence = None,
    min_area: options.MinArea = None,
    exclude_border: options.ExcludeBorder = None,
    pixel_size: options.PixelSize = None,
    axes: options.Axes = None,
    channel: options.Channel = None,
    plane: options.PlaneNumber = None,
    save: options.Save = None,
    overwrite: options.Overwrite = None,
    config: options.Config = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Write masks, overlays, beads.csv and counts.csv of every image to ./segmented."""
    loaded = settings.load(config, options.given(context.params)).settings
    from beadctl.cli import arguments
    from beadctl.images import find
    from beadctl.model.session import open_model
    from beadctl.results.outputs import Outputs
    from beadctl.results.process import process
    from beadctl.results.tables import HEADS, summary

    messages, run = console.Messages.of(quiet, verbose), loaded.inference
    out = loaded.output.out_dir or Path("segmented")
    outputs = Outputs(out, loaded.output.save, loaded.output.overwrite)
    found = find(inputs, exclude=outputs.not_images())
    opened = open_model(run.model, run.device, run.threads, messages)
    how = arguments.segment_options(loaded, opened.facts)
    recorded = arguments.plain(loaded)
    parts = process(inputs, found, opened, how, outputs, settings=recorded, messages=messages)
    messages.table(f"Beads in {out}", tuple(HEADS.values()), summary(parts))
    return ExitCode.of(failed=any(part.failed for part in parts))
