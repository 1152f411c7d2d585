"""``beadctl tile``: annotated images into training tiles."""

from pathlib import Path
from typing import Annotated

import typer

from beadctl import console
from beadctl.cli import options, settings
from beadctl.errors import ExitCode


def tile(
    context: typer.Context,
    images: Annotated[Path, typer.Argument(help="Folder of images.")],
    masks: Annotated[
        Path, typer.Argument(help="Folder of annotations with the same names, or a file for all images.")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the pairs and the plan; write nothing.")
    ] = False,
    annotations: options.Annotations = None,
    centre_diameter: options.CentreDiameterOfTile = None,
    axes: options.Axes = None,
    channel: options.Channel = None,
    plane: options.PlaneNumber = None,
    size: options.Size = None,
    overlap: options.Overlap = None,
    val_fraction: options.ValFraction = None,
    test_fraction: options.TestFraction = None,
    group_by: options.GroupBy = None,
    only: options.Only = None,
    min_beads: options.MinBeads = None,
    keep_empty: options.KeepEmpty = None,
    seed: options.Seed = None,
    out_dir: options.TileDir = None,
    format: options.TableForm = None,  # noqa: A002  the flag is --format
    overwrite: options.Overwrite = None,
    config: options.Config = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Cut images and annotations into tiles, split by source image for training, validation and test.

    Example: beadctl tile images masks -o tiles --size 256
    """
    loaded = settings.load(config, options.given(context.params)).settings
    from beadctl.annotations.pairing import pair
    from beadctl.audit.spot_check import spot_check
    from beadctl.cli import arguments
    from beadctl.dataset import tile_plan, tile_writer

    messages, data = console.Messages.of(quiet, verbose), loaded.data
    pairing = pair(images, masks, form=data.annotations, diameter_px=data.centre_diameter)
    pairing = pairing.only(loaded.tile.only)
    pairing.report(messages.warn)
    tiling = arguments.tile_options(loaded)
    spot_check(pairing.samples, tiling.read, messages, f"beadctl audit {images} {masks}")
    if dry_run:
        planned = tile_plan.plan_tiles(pairing.samples, tiling)
        console.print_rows(loaded.output.format, tile_plan.HEADS, tile_plan.rows(planned))
        failures = [image.reason for image in planned if image.reason]
    else:
        out = loaded.output.out_dir or data.tiles
        cut = tile_writer.cut_with_progress(
            pairing.samples, out, tiling, overwrite=loaded.output.overwrite, messages=messages
        )
        failures = [reason for _, reason in cut.failures]
    for reason in failures:
        console.fail(reason)
    return ExitCode.of(failed=bool(failures))
