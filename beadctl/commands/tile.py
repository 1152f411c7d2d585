"""``beadctl tile``: annotated images into training tiles."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from beadctl import console, options, settings

if TYPE_CHECKING:
    from beadctl.dry_run import Planned


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
    min_beads: options.MinBeads = None,
    keep_empty: options.KeepEmpty = None,
    seed: options.Seed = None,
    axes: options.Axes = None,
    channel: options.Channel = None,
    plane: options.PlaneNumber = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the pairs and the plan; write nothing.")
    ] = False,
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
    from beadctl.dry_run import planned

    voice = console.voice(quiet, verbose)
    pairing = pair(images, masks, form=loaded.data.annotations, diameter_px=loaded.data.centre_diameter).only(
        loaded.tile.only
    )
    pairing.tell(voice.warn)
    auditing.glance(
        of_pairs(pairing.pairs), auditing.reading(loaded), voice, f"beadctl audit {images} {masks}"
    )
    out = loaded.output.out_dir or loaded.data.tiles
    recipe = cutting.Recipe(
        loaded.data.size,
        **loaded.tile.model_dump(exclude={"only"}),
        seed=loaded.data.seed,
        axes=loaded.data.axes,
        channel=loaded.data.channel,
        plane=loaded.data.plane,
        annotated=f"{loaded.data.annotations}, {loaded.data.centre_diameter}",
    )
    if dry_run:
        return _tell(planned(pairing.pairs, recipe))
    with voice.progress(len(pairing.pairs), "tiling") as progress:
        cut = cutting.cut(
            pairing.pairs,
            out,
            recipe,
            overwrite=loaded.output.overwrite,
            on_pair=lambda _: progress.advance(progress.task_ids[0]),
        )
    for _, reason in cut.failures:
        console.fail(reason)
    voice.remarks(said(cut.remarks))
    voice.table(
        str(out),
        ("split", "images", "tiles", "beads"),
        [
            (split, *(str(counts[of]) for of in ("images", "tiles", "beads")))
            for split, counts in cut.splits.items()
        ],
    )
    return 1 if cut.failures else 0


def _tell(plan: "tuple[Planned, ...]") -> int:
    """Print a plan; return 1 if a pair cannot be used."""
    console.print_table(
        "",
        ("image", "annotation", "split", "px", "beads", "tiles"),
        [
            (
                str(one.pair.image.name),
                one.pair.truth.name,
                one.split,
                f"{one.height} x {one.width}",
                str(one.beads),
                str(one.tiles),
            )
            for one in plan
            if not one.reason
        ],
        to_stdout=True,
    )
    for one in plan:
        if one.reason:
            console.fail(one.reason)
    return 1 if any(one.reason for one in plan) else 0
