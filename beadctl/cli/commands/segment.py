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
    from beadctl.results.outputs import DEFAULT_FOLDER, Outputs
    from beadctl.results.process import process
    from beadctl.results.tables import HEADS, summary

    messages, output = console.Messages.of(quiet, verbose), loaded.output
    outputs = Outputs(output.out_dir or DEFAULT_FOLDER, output.save, output.overwrite)
    images = find(inputs, exclude=outputs.not_images())
    session = arguments.session(loaded, messages)
    results = process(
        inputs,
        images,
        session,
        arguments.segment_options(loaded, session.facts),
        outputs,
        settings=arguments.plain(loaded),
        messages=messages,
    )
    messages.table(f"Beads in {outputs.folder}", tuple(HEADS.values()), summary(results))
    return ExitCode.of(failed=any(result.failed for result in results))
