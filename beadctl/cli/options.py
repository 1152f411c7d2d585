"""Typer options made from the settings' fields, so that help, bounds and defaults are written once.

A flag that is left out is None, never a default in disguise: `given` hands `settings.load` only what
the command line really said.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from beadctl.annotations import AnnotationFormat
from beadctl.cli.settings import Settings
from beadctl.console import Form
from beadctl.losses import Loss
from beadctl.weighting import WeightingName

# Parameter name of a command -> (section, field) of the settings.
FIELDS: dict[str, str] = {}


def option(key: str, *names: str, parameter: str | None = None, panel: str | None = None) -> Any:
    """Return the Typer option of the setting `key`, ``section.field``.

    Parameters
    ----------
    key : str
        The setting.
    names : str
        Flags; by default the field's name.
    parameter : str, optional
        Name of the command's parameter, where it is not the field's.
    panel : str, optional
        Heading of the option in the help.
    """
    section, field = key.split(".")
    annotation = Settings.model_fields[section].annotation
    assert annotation is not None
    info = annotation.model_fields[field]
    FIELDS[parameter or field] = key
    words = (info.description or "").rstrip(".")
    default = info.default
    if default is not None and default != "" and "[" not in words and not isinstance(default, bool):
        shown = getattr(default, "value", default)
        words += f" [{shown}]"
    return typer.Option(
        *(names or (f"--{field.replace('_', '-')}",)), help=words, show_default=False, rich_help_panel=panel
    )


def given(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return, of a command's parameters, the settings that its flags gave."""
    return {FIELDS[name]: value for name, value in parameters.items() if name in FIELDS and value is not None}


Config = Annotated[
    Path | None, typer.Option("--config", help="Settings file [beadctl.toml].", show_default=False)
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Say errors and warnings only.", show_default=False)
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more.", show_default=False)]

Tiles = Annotated[Path | None, option("data.tiles")]
Size = Annotated[int | None, option("data.size")]
Seed = Annotated[int | None, option("data.seed")]
Axes = Annotated[str | None, option("data.axes")]
Channel = Annotated[int | None, option("data.channel")]
PlaneNumber = Annotated[int | None, option("data.plane")]
PixelSize = Annotated[float | None, option("data.pixel_size")]
Annotations = Annotated[AnnotationFormat | None, option("data.annotations")]
CentreDiameter = Annotated[float | None, option("data.centre_diameter")]
CentreDiameterOfTile = Annotated[
    float | None, option("data.centre_diameter", "--centre-diameter", "--diameter")
]

Overlap = Annotated[int | None, option("tile.overlap")]
ValFraction = Annotated[float | None, option("tile.val_fraction")]
TestFraction = Annotated[float | None, option("tile.test_fraction")]
GroupBy = Annotated[str | None, option("tile.group_by")]
Only = Annotated[Path | None, option("tile.only")]
MinBeads = Annotated[int | None, option("tile.min_beads")]
KeepEmpty = Annotated[float | None, option("tile.keep_empty")]

Start = Annotated[str | None, option("train.start", "--from")]
Simulate = Annotated[int | None, option("train.simulate")]
Epochs = Annotated[int | None, option("train.epochs")]
MaxMinutes = Annotated[float | None, option("train.max_minutes")]
BatchSize = Annotated[int | None, option("train.batch_size")]
Accumulate = Annotated[int | None, option("train.accumulate")]
LearningRate = Annotated[float | None, option("train.lr")]
WeightDecay = Annotated[float | None, option("train.weight_decay")]
WarmupEpochs = Annotated[float | None, option("train.warmup_epochs")]
Patience = Annotated[int | None, option("train.patience")]
Schedule = Annotated[str | None, option("train.schedule")]
PlateauEpochs = Annotated[int | None, option("train.plateau_epochs")]
PlateauFactor = Annotated[float | None, option("train.plateau_factor")]
Arch = Annotated[str | None, option("train.arch")]
Width = Annotated[int | None, option("train.width")]
Depth = Annotated[int | None, option("train.depth")]
Dropout = Annotated[float | None, option("train.dropout")]
StepsPerEpoch = Annotated[int | None, option("train.steps_per_epoch")]
MaxChannels = Annotated[int | None, option("train.max_channels")]
Dilation = Annotated[int | None, option("train.dilation")]
ClipNorm = Annotated[float | None, option("train.clip_norm")]
EmaDecay = Annotated[float | None, option("train.ema_decay")]
Precision = Annotated[str | None, option("train.precision")]
Augment = Annotated[bool | None, option("train.augment", "--augment/--no-augment")]
Workers = Annotated[int | None, option("train.workers")]

LossName = Annotated[Loss | None, option("loss.name", "--loss", parameter="loss")]
Weights = Annotated[str | None, option("loss.weights")]
Weighting = Annotated[WeightingName | None, option("loss.weighting")]
RampFrom = Annotated[str | None, option("loss.ramp_from")]
RampEpochs = Annotated[float | None, option("loss.ramp_epochs")]
FocalAlpha = Annotated[float | None, option("loss.focal_alpha")]
FocalGamma = Annotated[float | None, option("loss.focal_gamma")]
TverskyAlpha = Annotated[float | None, option("loss.tversky_alpha")]
TverskyBeta = Annotated[float | None, option("loss.tversky_beta")]
TverskyGamma = Annotated[float | None, option("loss.tversky_gamma")]
BoundaryWidth = Annotated[int | None, option("loss.boundary_px")]
MarkerWeight = Annotated[float | None, option("loss.marker_weight")]
ContactWeight = Annotated[float | None, option("loss.contact_weight")]

Opset = Annotated[int | None, option("export.opset")]
Licence = Annotated[str | None, option("export.licence")]
ModelName = Annotated[str | None, option("export.name")]
BlendWith = Annotated[str | None, option("export.blend")]
BlendShare = Annotated[float | None, option("export.blend_share")]

ModelFile = Annotated[Path | None, option("inference.model", "--model", "-m")]
Device = Annotated[str | None, option("inference.device")]
Diameter = Annotated[str | None, option("inference.diameter")]
Threads = Annotated[int | None, option("inference.threads")]
TileSize = Annotated[int | None, option("inference.tile_size")]

Threshold = Annotated[float | None, option("instances.threshold")]
MarkerThreshold = Annotated[float | None, option("instances.marker_threshold")]
MarkerRise = Annotated[float | None, option("instances.marker_rise")]
MinConfidence = Annotated[float | None, option("instances.min_confidence")]
MinArea = Annotated[int | None, option("instances.min_area")]
ExcludeBorder = Annotated[bool | None, option("instances.exclude_border", "--exclude-border/--keep-border")]

OutDir = Annotated[Path | None, option("output.out_dir", "--out-dir", "-o")]
Overwrite = Annotated[bool | None, option("output.overwrite", "--overwrite")]
TableForm = Annotated[Form | None, option("output.format")]
Save = Annotated[str | None, option("output.save")]
