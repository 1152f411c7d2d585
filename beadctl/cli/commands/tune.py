"""``beadctl tune``: a model of your own from a few annotated images, compared with the default model."""

from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import typer

from beadctl.cli import options
from beadctl.cli.settings import Loaded
from beadctl.console import Messages
from beadctl.errors import ExitCode

# Few epochs: longer training on few images loses what the default model has learned.
DEFAULTS = MappingProxyType(
    {
        "data.size": 256,
        "tile.val_fraction": 0.2,
        "tile.test_fraction": 0.2,
        "train.epochs": 20,
        "train.steps_per_epoch": 25,
        "train.lr": 3e-4,
        "train.ema_decay": 0.98,
        "loss.marker_weight": 2.0,
        "export.name": "tuned",
    }
)


@options.command(
    out_dir="tuned",
    flags={"data.centre_diameter": ("--centre-diameter", "--diameter")},
    defaults=DEFAULTS,
    words=options.TRAINING_WORDS
    | {
        "data.size": "Edge of a tile, px",
        "output.format": "Form of the figures of both models on standard output; auto: table on a terminal, "
        "csv in a pipe or file",
    },
    log=True,
    data="annotations pair centre_diameter axes channel plane series size seed",
    tile="overlap val_fraction test_fraction group_by only",
    train="epochs max_minutes steps_per_epoch batch_size lr workers tensorboard",
    export="name licence",
    inference="device threads",
    cluster="workers",
    output="out_dir format",
)
def tune(
    loaded: Loaded,
    messages: Messages,
    images: Annotated[Path, typer.Argument(help="Folder of images.")],
    masks: Annotated[
        Path, typer.Argument(help="Folder of annotations with the same names, or a file for all images.")
    ],
    folds: Annotated[
        int | None,
        typer.Option(
            min=3,
            metavar="<int>",
            help="Also tune once for each of so many parts of the images, and compare on that part: "
            "cross-validation, which then decides",
            rich_help_panel=options.RUN,
        ),
    ] = None,
) -> ExitCode:
    """Make a model file from a few annotated images, and say whether it is better than the default model.

    Compares both models on images that were left out, and writes tuned.onnx, report.html and tuning.json.

    The same command goes on where it was stopped.

    Example: beadctl tune images masks -o tuned
    """
    from beadctl.cli import arguments
    from beadctl.cli import training_arguments as training
    from beadctl.tuning.run import tune as tune_

    settings = loaded.settings
    tiling, asked = arguments.tile_options(settings), training.asked(loaded)
    cluster = training.tuning_workers(settings, asked, folds, messages)
    return tune_(
        arguments.annotated(settings, images, masks, tiling.read, messages),
        tiling,
        asked,
        training.export_options(settings),
        messages,
        folds=folds,
        form=settings.output.format,
        cluster=cluster,
    )
