"""Typer options made of the settings' fields, so that help, choices and defaults are written once.

The parameter of a flag that is left out is None, and `given` selects the others for `settings.load`.
"""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from beadctl.annotations import AnnotationFormat
from beadctl.cli.settings import section_of
from beadctl.console import Form
from beadctl.files import cell
from beadctl.losses import Loss
from beadctl.results.formats import Output
from beadctl.training.choices import ArchName, PrecisionName, ScheduleName
from beadctl.weighting import WeightingName

# Parameter name of a command -> ``section.field`` of the settings.
FIELDS: dict[str, str] = {}

# Panels of the help.
INPUT, TILES, NETWORK, OPTIMISER, LOSS = "Input", "Tiles", "Network", "Optimiser", "Loss"
INSTANCES, RUN, MODEL, OUTPUT = "Instances", "Run", "Model file", "Output"
LONGEST_TYPE = 20


def option(
    panel: str,
    key: str,
    *names: str,
    parameter: str | None = None,
    default: str | None = None,
    completion: Callable[[str], list[str]] | None = None,
) -> Any:
    """Return the Typer option of a setting.

    Parameters
    ----------
    panel : str
        Heading above the option in the help.
    key : str
        The setting, ``section.field``.
    names : str
        Flags; by default the field's name.
    parameter : str, optional
        Name of the command's parameter, where it is not the field's.
    default : str, optional
        Default in the help, where the command has another than the setting.
    completion : callable, optional
        Values for the Tab key from the beginning of one, where the type does not give them.

    Returns
    -------
    typer option
        For ``Annotated``.
    """
    section, field = key.split(".")
    info = section_of(section).model_fields[field]
    FIELDS[parameter or field] = key
    names = names or (f"--{field.replace('_', '-')}",)
    # A bracket at the end of a description names what None stands for.
    words, _, bracket = (info.description or "").rstrip(".]").partition(" [")
    default = default or bracket or _default(info.default, names[0])
    kind = info.annotation
    choices = list(kind) if isinstance(kind, type) and issubclass(kind, StrEnum) else []
    # Typer shows the choices as the type, which leaves no room for the help where they are long.
    is_long = len("|".join(choices)) > LONGEST_TYPE
    if is_long:
        words += f"; one of {', '.join(choices)}"
    return typer.Option(
        *names,
        help=with_default(words, default) if default else words,
        show_default=False,
        metavar="<name>" if is_long else None,
        rich_help_panel=panel,
        autocompletion=completion,
    )


def with_default(words: str, default: object) -> str:
    """Return a help text with its default in the same paragraph; Typer would set it as a column."""
    # The backslash keeps rich from reading the bracket as markup.
    return f"{words} [dim]\\[default: {default}][/dim]"


def _out_dir(default: str | None = None) -> Any:
    return option(OUTPUT, "output.out_dir", "--out-dir", "-o", default=default)


def _default(value: object, names: str) -> str:
    """Return the default of a field for the help; empty for None and for a flag that is off."""
    if isinstance(value, bool):
        on, _, off = names.partition("/")
        return (on if value else off).lstrip("-")
    return ",".join(value) if isinstance(value, tuple) else cell(value)


def list_of(family: type[StrEnum]) -> Callable[[str], list[str]]:
    """Return a completion for a list of members of an enum, separated by commas."""

    def complete(incomplete: str) -> list[str]:
        given = incomplete.split(",")[:-1]
        return [",".join([*given, member]) for member in family if member not in given]

    return complete


def _devices(incomplete: str) -> list[str]:
    return [name for name in ("auto", "cpu", "cuda") if name.startswith(incomplete)]


def given(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return, of a command's parameters, the settings that its flags gave."""
    return {FIELDS[name]: value for name, value in parameters.items() if name in FIELDS and value is not None}


Config = Annotated[
    Path | None,
    typer.Option("--config", help=with_default("Settings file", "beadctl.toml"), show_default=False),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only errors and warnings.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Verbose output.")]

Axes = Annotated[str | None, option(INPUT, "data.axes")]
Channel = Annotated[int | None, option(INPUT, "data.channel")]
PlaneNumber = Annotated[int | None, option(INPUT, "data.plane")]
PixelSize = Annotated[float | None, option(INPUT, "data.pixel_size")]
Annotations = Annotated[AnnotationFormat | None, option(INPUT, "data.annotations")]
CentreDiameter = Annotated[float | None, option(INPUT, "data.centre_diameter")]
CentreDiameterOfTile = Annotated[
    float | None, option(INPUT, "data.centre_diameter", "--centre-diameter", "--diameter")
]

Tiles = Annotated[Path | None, option(TILES, "data.tiles")]
Simulate = Annotated[int | None, option(TILES, "train.simulate")]
Augment = Annotated[bool | None, option(TILES, "train.augment", "--augment/--no-augment")]
Size = Annotated[int | None, option(TILES, "data.size")]
Overlap = Annotated[int | None, option(TILES, "tile.overlap")]
ValFraction = Annotated[float | None, option(TILES, "tile.val_fraction")]
TestFraction = Annotated[float | None, option(TILES, "tile.test_fraction")]
GroupBy = Annotated[str | None, option(TILES, "tile.group_by")]
Only = Annotated[Path | None, option(TILES, "tile.only")]
MinBeads = Annotated[int | None, option(TILES, "tile.min_beads")]
KeepEmpty = Annotated[float | None, option(TILES, "tile.keep_empty")]

Start = Annotated[str | None, option(NETWORK, "train.start", "--from")]
Arch = Annotated[ArchName | None, option(NETWORK, "train.arch")]
Width = Annotated[int | None, option(NETWORK, "train.width")]
Depth = Annotated[int | None, option(NETWORK, "train.depth")]
MaxChannels = Annotated[int | None, option(NETWORK, "train.max_channels")]
Dropout = Annotated[float | None, option(NETWORK, "train.dropout")]
Dilation = Annotated[int | None, option(NETWORK, "train.dilation")]

BatchSize = Annotated[int | None, option(OPTIMISER, "train.batch_size")]
Accumulate = Annotated[int | None, option(OPTIMISER, "train.accumulate")]
LearningRate = Annotated[float | None, option(OPTIMISER, "train.lr")]
WeightDecay = Annotated[float | None, option(OPTIMISER, "train.weight_decay")]
WarmupEpochs = Annotated[float | None, option(OPTIMISER, "train.warmup_epochs")]
Schedule = Annotated[ScheduleName | None, option(OPTIMISER, "train.schedule")]
PlateauEpochs = Annotated[int | None, option(OPTIMISER, "train.plateau_epochs")]
PlateauFactor = Annotated[float | None, option(OPTIMISER, "train.plateau_factor")]
ClipNorm = Annotated[float | None, option(OPTIMISER, "train.clip_norm")]
EmaDecay = Annotated[float | None, option(OPTIMISER, "train.ema_decay")]

LossName = Annotated[Loss | None, option(LOSS, "loss.name", "--loss", parameter="loss")]
Weights = Annotated[str | None, option(LOSS, "loss.weights")]
Weighting = Annotated[WeightingName | None, option(LOSS, "loss.weighting")]
RampFrom = Annotated[str | None, option(LOSS, "loss.ramp_from")]
RampEpochs = Annotated[float | None, option(LOSS, "loss.ramp_epochs")]
FocalAlpha = Annotated[float | None, option(LOSS, "loss.focal_alpha")]
FocalGamma = Annotated[float | None, option(LOSS, "loss.focal_gamma")]
TverskyAlpha = Annotated[float | None, option(LOSS, "loss.tversky_alpha")]
TverskyBeta = Annotated[float | None, option(LOSS, "loss.tversky_beta")]
TverskyGamma = Annotated[float | None, option(LOSS, "loss.tversky_gamma")]
BoundaryWidth = Annotated[int | None, option(LOSS, "loss.boundary_px")]
MarkerWeight = Annotated[float | None, option(LOSS, "loss.marker_weight")]
ContactWeight = Annotated[float | None, option(LOSS, "loss.contact_weight")]

Diameter = Annotated[str | None, option(INSTANCES, "inference.diameter")]
Threshold = Annotated[float | None, option(INSTANCES, "instances.threshold")]
MarkerThreshold = Annotated[float | None, option(INSTANCES, "instances.marker_threshold")]
MarkerRise = Annotated[float | None, option(INSTANCES, "instances.marker_rise")]
MinConfidence = Annotated[float | None, option(INSTANCES, "instances.min_confidence")]
MinArea = Annotated[int | None, option(INSTANCES, "instances.min_area")]
ExcludeBorder = Annotated[
    bool | None, option(INSTANCES, "instances.exclude_border", "--exclude-border/--keep-border")
]

GradientAudit = Annotated[
    bool,
    typer.Option(
        "--gradient-audit",
        help="Measure in each epoch which pixels each loss's gradient acts on.",
        rich_help_panel=RUN,
    ),
]
Epochs = Annotated[int | None, option(RUN, "train.epochs")]
StepsPerEpoch = Annotated[int | None, option(RUN, "train.steps_per_epoch")]
MaxMinutes = Annotated[float | None, option(RUN, "train.max_minutes")]
Patience = Annotated[int | None, option(RUN, "train.patience")]
Seed = Annotated[int | None, option(RUN, "data.seed")]
Device = Annotated[str | None, option(RUN, "inference.device", completion=_devices)]
Precision = Annotated[PrecisionName | None, option(RUN, "train.precision")]
Threads = Annotated[int | None, option(RUN, "inference.threads")]
Workers = Annotated[int | None, option(RUN, "train.workers")]
TileSize = Annotated[int | None, option(RUN, "inference.tile_size")]

ModelFile = Annotated[Path | None, option(MODEL, "inference.model", "--model", "-m")]
Opset = Annotated[int | None, option(MODEL, "export.opset")]
Licence = Annotated[str | None, option(MODEL, "export.licence")]
ModelName = Annotated[str | None, option(MODEL, "export.name")]
BlendWith = Annotated[str | None, option(MODEL, "export.blend")]
BlendShare = Annotated[float | None, option(MODEL, "export.blend_share")]

OutDir = Annotated[Path | None, _out_dir()]
SegmentDir = Annotated[Path | None, _out_dir("segmented")]
TileDir = Annotated[Path | None, _out_dir("tiles")]
TrainDir = Annotated[Path | None, _out_dir("runs/<loss>-<size>")]
CompareDir = Annotated[Path | None, _out_dir("runs/compare-losses")]
Overwrite = Annotated[bool | None, option(OUTPUT, "output.overwrite", "--overwrite")]
TableForm = Annotated[Form | None, option(OUTPUT, "output.format")]
Save = Annotated[str | None, option(OUTPUT, "output.save", completion=list_of(Output))]
