"""``beadctl count``: how many beads each image holds, as a table on standard output."""

from pathlib import Path
from typing import Annotated

import typer

from beadctl import console
from beadctl.cli import options, settings
from beadctl.errors import ExitCode


def count(
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
    out_dir: options.OutDir = None,
    format: options.TableForm = None,  # noqa: A002  the flag is --format
    overwrite: options.Overwrite = None,
    config: options.Config = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Print one row for each plane; with -o also write counts.csv and beads.csv.

    Example: beadctl count images --format csv > counts.csv
    """
    loaded = settings.load(config, options.given(context.params)).settings
    from beadctl.cli import arguments
    from beadctl.images import find
    from beadctl.results.ledger import COLUMNS
    from beadctl.results.outputs import Outputs
    from beadctl.results.process import process
    from beadctl.results.tables import HEADS

    messages, output = console.Messages.of(quiet, verbose), loaded.output
    outputs = Outputs(output.out_dir, (), output.overwrite)
    images = find(inputs, exclude=outputs.not_images())
    session = arguments.session(loaded, messages)
    table = console.RowPrinter(output.format, COLUMNS, HEADS)
    results = process(
        inputs,
        images,
        session,
        arguments.segment_options(loaded, session.facts),
        outputs,
        settings=arguments.plain(loaded),
        messages=messages,
        on_row=lambda row: table.row(row.cells()),
    )
    table.end()
    return ExitCode.of(failed=any(result.failed for result in results))
