"""``beadctl tile``: annotated images into training tiles."""

from pathlib import Path
from typing import Annotated

import typer

from beadctl import console
from beadctl.cli import options
from beadctl.cli.settings import Loaded
from beadctl.console import Messages
from beadctl.errors import ExitCode


@options.command(
    out_dir="tiles",
    flags={"data.centre_diameter": ("--centre-diameter", "--diameter")},
    data="annotations pair centre_diameter axes channel plane series size seed",
    tile="*",
    output="out_dir format overwrite",
)
def tile(
    loaded: Loaded,
    messages: Messages,
    images: Annotated[Path, typer.Argument(help="Folder of images.")],
    masks: Annotated[
        Path, typer.Argument(help="Folder of annotations with the same names, or a file for all images.")
    ],
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Print the pairs and the plan, and write nothing",
            rich_help_panel=options.OUTPUT,
        ),
    ] = False,
) -> ExitCode:
    """Cut images and annotations into tiles, split by source image for training, validation and test.

    Example: beadctl tile images masks -o tiles --size 256
    """
    from beadctl.cli import arguments
    from beadctl.dataset import tile_plan, tile_writer

    settings = loaded.settings
    tiling = arguments.tile_options(settings)
    samples = arguments.annotated(settings, images, masks, tiling.read, messages)
    if dry_run:
        rows, failures = tile_plan.plan_tiles(samples, tiling)
        console.print_rows(settings.output.format, tile_plan.HEADS, rows)
    else:
        out = settings.output.out_dir or settings.data.tiles
        cut = tile_writer.cut_with_progress(
            samples, out, tiling, overwrite=settings.output.overwrite, messages=messages
        )
        failures = cut.failures
    for reason in failures:
        console.fail(reason)
    return ExitCode.of(failed=bool(failures))
