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
    pixel_size: options.PixelSize = None,
    axes: options.Axes = None,
    channel: options.Channel = None,
    plane: options.PlaneNumber = None,
    model: options.ModelFile = None,
    diameter: options.Diameter = None,
    threshold: options.Threshold = None,
    marker_threshold: options.MarkerThreshold = None,
    marker_rise: options.MarkerRise = None,
    min_confidence: options.MinConfidence = None,
    min_area: options.MinArea = None,
    exclude_border: options.ExcludeBorder = None,
    device: options.Device = None,
    threads: options.Threads = None,
    tile_size: options.TileSize = None,
    out_dir: options.SegmentDir = None,
    save: options.Save = None,
    overwrite: options.Overwrite = None,
    config: options.Config = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Write masks, overlays, beads.csv and counts.csv of every image.

    Example: beadctl segment images -o results --save masks
    """
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
    results = process(inputs, found, opened, how, outputs, settings=recorded, messages=messages)
    messages.table(f"Beads in {out}", tuple(HEADS.values()), summary(results))
    return ExitCode.of(failed=any(result.failed for result in results))
