"""``beadctl eval``: score a model file on tiles or on image/mask pairs."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from beadctl import console
from beadctl.cli import options
from beadctl.cli.settings import Loaded
from beadctl.console import Messages
from beadctl.errors import ExitCode


class Split(StrEnum):
    """Split of the tiles."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"


@options.command(
    out_dir="no files",
    words={
        "output.format": "Form of the figures on standard output; auto: table on a terminal, json in a pipe "
        "or file"
    },
    data="annotations pair centre_diameter axes channel plane series pixel_size tiles",
    inference="*",
    instances="threshold marker_threshold marker_rise min_confidence "
    "min_area max_area min_circularity min_diameter max_diameter",
    output="out_dir format overwrite",
)
def evaluate(
    loaded: Loaded,
    messages: Messages,
    images: Annotated[Path | None, typer.Argument(help="Folder of images; left out: the tiles.")] = None,
    masks: Annotated[Path | None, typer.Argument(help="Folder of their annotations, or a file.")] = None,
    calibrate: Annotated[
        Path | None,
        typer.Option(
            help="Choose thresholds and joiner on the images by F1 and count error, and write the model with "
            "them to this file",
            rich_help_panel=options.MODEL,
        ),
    ] = None,
    bands: Annotated[
        Path | None,
        typer.Option(
            help="Measure precision and recall by density on the images; write the model with them, which "
            "intervals of counts need, to this file",
            rich_help_panel=options.MODEL,
        ),
    ] = None,
    split: Annotated[
        Split,
        typer.Option(
            help=options.with_default("Split of the tiles to score: train, val or test", Split.TEST),
            show_default=False,
            metavar="<name>",
            rich_help_panel=options.TILES,
        ),
    ] = Split.TEST,
) -> ExitCode:
    """Score a model; with -o also write eval.csv (one row an image) and eval.json.

    Prints a table on a terminal, JSON in a pipe. With --calibrate the figures are those of the model that it
    writes; thresholds that are stated are those that the search starts from. --bands needs other images than
    those of --calibrate, so give it in a second command.

    Example: beadctl eval images masks -m mine.onnx
    """
    from beadctl.annotations.canvas import remark_lines
    from beadctl.audit.spot_check import spot_check
    from beadctl.cli import arguments
    from beadctl.cli.settings import require_folder
    from beadctl.evaluation import scoring
    from beadctl.evaluation.bands import model_with_bands
    from beadctl.evaluation.calibration import calibrated_model
    from beadctl.files import require_free
    from beadctl.segmentation.options import SegmentOptions

    require_folder(calibrate, "--calibrate")
    require_folder(bands, "--bands")
    settings = loaded.settings
    output, rule = settings.output, arguments.pairing_rule(settings)
    tiles = settings.data.tiles
    samples = scoring.samples(images, masks, rule, messages, tiles=tiles, split=split.value)
    out = require_free(output.out_dir, ("eval.csv", "eval.json"), overwrite=output.overwrite)
    pairs = f"{images} {masks}" if images else tiles
    reading = arguments.read_options(settings)
    # The network takes longer for an image than its check.
    spot_check(samples, reading, messages, f"beadctl audit {pairs}", most=len(samples))
    session, plan = arguments.session(settings, messages)
    numbers = arguments.segment_options(settings, session.facts, plan)
    writing: dict[str, Any] = {"overwrite": output.overwrite, "messages": messages}
    if calibrate:
        by_rule = settings.instances.marker_rise is not None
        session = calibrated_model(session, samples, numbers, calibrate, by_rule=by_rule, **writing)
        numbers = SegmentOptions.of(session.facts, read=reading, tile_size=plan.tile_size)
    if bands:
        session = model_with_bands(session, samples, numbers, bands, **writing)
    scored = scoring.evaluate(samples, session, numbers, messages)
    messages.notes(remark_lines((one.sample.name, remark) for one in scored for remark in one.remarks))
    result = scoring.result(session, scored)
    if out:
        scoring.write_scores(out, scored, result)
    console.print_record(
        output.format.chosen(console.Form.JSON), result, ("figure", "value"), scoring.rows(result)
    )
    return ExitCode.of(failed=any(one.score is None for one in scored))
