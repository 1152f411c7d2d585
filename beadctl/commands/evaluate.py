"""``beadctl eval``: score a model file on tiles or on image/mask pairs."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from beadctl import console, options, settings


class Split(StrEnum):
    """A side of the split."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"


def evaluate(
    context: typer.Context,
    images: Annotated[Path | None, typer.Argument(help="Folder of images; left out: the tiles.")] = None,
    masks: Annotated[Path | None, typer.Argument(help="Folder of their annotations, or a file.")] = None,
    annotations: options.Annotations = None,
    centre_diameter: options.CentreDiameter = None,
    model: options.ModelFile = None,
    tiles: options.Tiles = None,
    split: Annotated[Split, typer.Option(help="Which tiles to score.")] = Split.TEST,
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
    axes: options.Axes = None,
    channel: options.Channel = None,
    plane: options.PlaneNumber = None,
    calibrate: Annotated[
        Path | None,
        typer.Option(
            help="Choose thresholds on these images by F1 and count error; write the model with them."
        ),
    ] = None,
    overwrite: options.Overwrite = None,
    config: options.Config = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Print the figures as JSON; with -o also write eval.csv (one row an image) and eval.json.

    With --calibrate the figures are those of the model that it writes.
    """
    loaded = settings.load(config, options.given(context.params)).settings
    from beadctl import evaluation
    from beadctl.annotations.canvas import said
    from beadctl.commands import running
    from beadctl.ledger import cell

    voice = console.voice(quiet, verbose)
    samples = running.samples(images, masks, loaded, split.value, voice)
    out = running.free_folder(loaded.output.out_dir, ("eval.csv", "eval.json"), loaded.output.overwrite)
    opened = running.open_model(loaded, voice)
    if calibrate:
        opened = running.calibrated(opened, samples, loaded, calibrate, voice)
    with voice.progress(len(samples), "scoring") as progress:
        scored = []
        for one in evaluation.evaluate(samples, opened, running.recipe(loaded, opened)):
            scored.append(one)
            progress.advance(progress.task_ids[0])
    for one in scored:
        if one.score is None:
            console.fail(one.reason)
    voice.remarks(said((one.sample.name, remark) for one in scored for remark in one.remarks))
    total = sum((one.score for one in scored if one.score), evaluation.Score())
    figures = evaluation.plain(total.figures())
    voice.table(
        f"{opened.path.name} on {len(scored)} images",
        ("figure", "value"),
        [(k, cell(v)) for k, v in figures.items()],
    )
    result = json.dumps(
        {"model": str(opened.path), "model_sha256": opened.sha256, "figures": figures}, indent=2
    )
    typer.echo(result)
    if out:
        running.write_evaluation(out, scored, result)
    return 1 if any(one.score is None for one in scored) else 0
