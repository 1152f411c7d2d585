"""``beadctl eval``: score a model file on tiles or on image/mask pairs."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from beadctl import console
from beadctl.cli import options, settings
from beadctl.errors import ExitCode


class Split(StrEnum):
    """Split of the tiles."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"


def evaluate(
    context: typer.Context,
    images: Annotated[Path | None, typer.Argument(help="Folder of images; left out: the tiles.")] = None,
    masks: Annotated[Path | None, typer.Argument(help="Folder of their annotations, or a file.")] = None,
    calibrate: Annotated[
        Path | None,
        typer.Option(
            help="Choose thresholds on these images by F1 and count error; write the model with them."
        ),
    ] = None,
    annotations: options.Annotations = None,
    centre_diameter: options.CentreDiameter = None,
    axes: options.Axes = None,
    channel: options.Channel = None,
    plane: options.PlaneNumber = None,
    tiles: options.Tiles = None,
    split: Annotated[
        Split, typer.Option(help="Split of the tiles to score.", rich_help_panel=options.TILES)
    ] = Split.TEST,
    model: options.ModelFile = None,
    diameter: options.Diameter = None,
    threshold: options.Threshold = None,
    marker_threshold: options.MarkerThreshold = None,
    marker_rise: options.MarkerRise = None,
    min_confidence: options.MinConfidence = None,
    min_area: options.MinArea = None,
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
    """Score a model; with -o also write eval.csv (one row an image) and eval.json.

    Prints a table on a terminal, JSON in a pipe. With --calibrate the figures are those of the model that it
    writes.

    Example: beadctl eval images masks -m mine.onnx
    """
    loaded = settings.load(config, options.given(context.params)).settings
    from beadctl.annotations.canvas import remark_lines
    from beadctl.cli import arguments
    from beadctl.evaluation import calibration, scoring
    from beadctl.files import require_free

    messages, output, data = console.Messages.of(quiet, verbose), loaded.output, loaded.data
    samples = scoring.samples(
        images,
        masks,
        tiles=data.tiles,
        split=split.value,
        annotations=data.annotations,
        centre_diameter_px=data.centre_diameter,
        warn=messages.warn,
    )
    out = require_free(output.out_dir, ("eval.csv", "eval.json"), output.overwrite)
    session = arguments.session(loaded, messages)
    if calibrate:
        session = calibration.calibrated_model(
            session,
            samples,
            arguments.segment_options(loaded, session.facts),
            calibrate,
            overwrite=output.overwrite,
            messages=messages,
        )
    scored = scoring.evaluate(samples, session, arguments.segment_options(loaded, session.facts), messages)
    messages.notes(remark_lines((one.sample.name, remark) for one in scored for remark in one.remarks))
    result = scoring.result(session, scored)
    console.print_record(
        output.format.chosen(console.Form.JSON), result, ("figure", "value"), scoring.rows(result)
    )
    if out:
        scoring.write_scores(out, scored, result)
    return ExitCode.of(failed=any(one.score is None for one in scored))
