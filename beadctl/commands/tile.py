"""``beadctl tile``: annotated images into training tiles."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from beadctl import console, options, settings


def tile(
    context: typer.Context,
    images: Annotated[Path, typer.Argument(help="Folder of images.")],
    masks: Annotated[
        Path, typer.Argument(help="Folder of annotations with the same names, or a file for all images.")
    ],
    annotations: options.Annotations = None,
    centre_diameter: options.CentreDiameterOfTile = None,
    out_dir: options.OutDir = None,
    size: options.Size = None,
    overlap: options.Overlap = None,
    val_fraction: options.ValFraction = None,
    test_fraction: options.TestFraction = None,
    group_by: options.GroupBy = None,
    only: options.Only = None,
    seed: options.Seed = None,
    axes: options.Axes = None,
    channel: options.Channel = None,
    plane: options.PlaneNumber = None,
    overwrite: options.Overwrite = None,
    config: options.Config = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Cut images and annotations into tiles, split by source image for training, validation and test."""
    loaded = settings.load(config, options.given(context.params)).settings
    from beadctl import cutting
    from beadctl.annotations.canvas import said
    from beadctl.annotations.pairing import pair
    from beadctl.audit.survey import of_pairs
    from beadctl.commands import auditing

    voice = console.voice(quiet, verbose)
    pairing = pair(images, masks, form=loaded.data.annotations, diameter_px=loaded.data.centre_diameter).only(
        loaded.tile.only
    )
    pairing.tell(voice.warn)
    auditing.glance(
        of_pairs(pairing.pairs), auditing.reading(loaded), voice, f"beadctl audit {images} {masks}"
    )
    splits = cutting.split_sources(
        [str(item.image.name) for item in pairing.pairs],
        val_fraction=loaded.tile.val_fraction,
        test_fraction=loaded.tile.test_fraction,
        seed=loaded.data.seed,
        group_by=loaded.tile.group_by,
    )
    out = loaded.output.out_dir or loaded.data.tiles
    with voice.progress(len(pairing.pairs), "tiling") as progress:
        cut = cutting.cut(
            pairing.pairs,
            out,
            size=loaded.data.size,
            overlap=loaded.tile.overlap,
            splits=splits,
            axes=loaded.data.axes,
            channel=loaded.data.channel,
            plane=loaded.data.plane,
            overwrite=loaded.output.overwrite,
            on_pair=lambda _: progress.advance(progress.task_ids[0]),
        )
    for _, reason in cut.failures:
        console.fail(reason)
    voice.remarks(said(cut.remarks))
    tiles, beads = Counter(row.split for row in cut.rows), Counter[str]()
    for row in cut.rows:
        beads[row.split] += row.beads
    sources = Counter(splits.values())
    voice.table(
        str(out),
        ("split", "images", "tiles", "beads"),
        [
            (split, *(str(counter[split]) for counter in (sources, tiles, beads)))
            for split in ("train", "val", "test")
        ],
    )
    return 1 if cut.failures else 0
