"""The one settings object: flags > environment > ``beadctl.toml`` > defaults.

A value comes from the first place that gives it: a flag; ``BEADCTL_<SECTION>__<FIELD>`` in the
environment; ``beadctl.toml`` in the working folder (or ``--config FILE``, or ``BEADCTL_CONFIG``);
the default below. `Settings` is frozen: no image changes what the next one is processed with.
"""

import difflib
import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from beadctl.annotations import AnnotationFormat
from beadctl.console import Form
from beadctl.errors import SettingsError
from beadctl.losses import Loss, checked_weights
from beadctl.results.formats import Output
from beadctl.weighting import WeightingName

PREFIX = "BEADCTL_"
CONFIG_NAME = "beadctl.toml"
# Names with our prefix that are not settings: the settings file, and the folder of the tests' images.
OUTSIDE = (f"{PREFIX}CONFIG", f"{PREFIX}DATA")

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Probability = Annotated[float, Field(gt=0.0, lt=1.0)]
Weight = Annotated[float, Field(ge=0.0)]
Device = Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")]


def _numbers(value: object) -> object:
    """Read a list as a flag or the environment gives it: ``0.7,0.3``."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


# Names of output files, each once.
Outputs = Annotated[tuple[Output, ...], BeforeValidator(_numbers)]
# A list of weights, one for each term of a loss.
Weights = Annotated[tuple[Weight, ...], BeforeValidator(_numbers)]


class Section(BaseModel):
    """A concern: frozen, and closed to names that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)


class Data(Section):
    """Where the pixels are and how they are read."""

    tiles: Path = Field(Path("tiles"), description="Folder of training tiles, as `beadctl tile` writes it.")
    size: int = Field(512, ge=16, le=8192, description="Edge of a training tile, px.")
    seed: int = Field(0, ge=0, description="Seed of every random choice.")
    axes: str | None = Field(
        None, pattern=r"^[A-Z]{2,8}$", description="Axes of the image files, such as ZYX, over the metadata."
    )
    channel: int | None = Field(None, ge=0, description="Channel to use of a multi-channel image, from 0.")
    plane: int | None = Field(None, ge=0, description="Plane to use of a stack, from 0 [all].")
    pixel_size: float | None = Field(
        None, gt=0, description="Pixel size, um, where the file's metadata has none."
    )
    annotations: AnnotationFormat = Field(
        AnnotationFormat.AUTO, description="Format of the annotations; auto: told by their content."
    )
    centre_diameter: float | None = Field(
        None, gt=0, description="Diameter of the beads, px, where annotations mark their centres."
    )


class Tile(Section):
    """Cutting image/mask pairs into tiles."""

    overlap: int = Field(64, ge=0, description="Overlap of neighbouring tiles, px.")
    val_fraction: Fraction = Field(0.15, description="Fraction of the source images for validation.")
    test_fraction: Fraction = Field(0.15, description="Fraction of the source images for the final test.")
    group_by: str | None = Field(
        None, description="Regular expression on the image's path; equal matches stay in one split."
    )
    only: Path | None = Field(None, description="File with the names of the images to use, one a line [all].")
    min_beads: int = Field(1, ge=1, description="Beads below which a tile counts as empty.")
    keep_empty: Share = Field(1.0, description="Share of the empty tiles to keep, chosen by the seed.")


class Train(Section):
    """The network and how it learns."""

    start: str | None = Field(
        None,
        min_length=1,
        description="Weights to start from: default, a run's folder, a checkpoint or a model file [random]; "
        "the network is then theirs.",
    )
    simulate: int = Field(
        0, ge=0, description="Train on this many fresh simulated scenes an epoch, not on tiles."
    )
    epochs: int = Field(100, ge=1, description="Passes over the training tiles.")
    max_minutes: float | None = Field(
        None, gt=0, description="Plan the learning rate for, and stop after, this many minutes [no limit]."
    )
    batch_size: int = Field(4, ge=1, description="Tiles in a micro-batch.")
    accumulate: int = Field(1, ge=1, description="Accumulation steps: micro-batches in an optimiser step.")
    lr: float | None = Field(None, gt=0, description="Peak learning rate [0.001; 0.0003 with --from].")
    weight_decay: float = Field(1e-2, ge=0, description="AdamW weight decay.")
    warmup_epochs: float = Field(1.0, ge=0, description="Epochs in which the learning rate rises.")
    schedule: Literal["cosine", "plateau"] = Field(
        "cosine", description="How the learning rate falls: cosine, or plateau (a step when stuck)."
    )
    plateau_epochs: int = Field(
        5, ge=1, description="Plateau: epochs without a better validation Jaccard before the rate falls."
    )
    plateau_factor: Probability = Field(0.5, description="Plateau: what the learning rate is multiplied by.")
    patience: int = Field(
        25, ge=1, description="Stop after this many epochs without a better validation Jaccard."
    )
    arch: Literal["unet", "resunet", "attention-unet"] = Field(
        "unet", description="Network: unet, resunet (residual blocks) or attention-unet (gated skips)."
    )
    width: int = Field(16, ge=2, le=256, description="Channels of the first level; doubled at each level.")
    depth: int = Field(4, ge=2, le=7, description="Levels of the U-Net; the stride is 2^(depth-1).")
    steps_per_epoch: int | None = Field(
        None, ge=1, description="Optimiser steps of an epoch [one pass over the tiles]."
    )
    max_channels: int = Field(512, ge=2, description="Cap on the channels of a level.")
    dropout: Fraction = Field(0.1, description="Dropout in the deepest level.")
    dilation: int = Field(
        1, ge=1, le=16, description="Dilation in the deepest level: a larger receptive field, a larger halo."
    )
    clip_norm: float = Field(1.0, gt=0, description="Largest norm of the gradient.")
    ema_decay: Fraction = Field(
        0.995, description="Decay of the weight average that is validated and exported."
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field("auto", description="Arithmetic of training.")
    augment: bool = Field(True, description="Augment the tiles: geometry, intensity, both polarities.")
    workers: int | None = Field(None, ge=0, description="Processes that prepare tiles [by the CPU count].")


class LossSection(Section):
    """What training minimises."""

    name: Loss = Field(Loss.COMBINED, description="Loss on the foreground.")
    weights: Weights | None = Field(
        None,
        description="Weights of the terms: dice,focal in `combined`; dice,focal,boundary in `multi-term` "
        "[0.7,0.3; 0.6,0.3,0.1].",
    )
    weighting: WeightingName = Field(
        WeightingName.FIXED,
        description="Weights while training: fixed, ramp (from --ramp-from), uncertainty (learned) "
        "or balance (of gradients).",
    )
    ramp_from: Weights | None = Field(None, description="Ramp: weights at the start [equal shares].")
    ramp_epochs: float = Field(
        30.0, gt=0, description="Ramp: epochs until the weights are those of the loss."
    )
    focal_alpha: Probability = Field(0.25, description="Focal loss: weight of the foreground.")
    focal_gamma: float = Field(2.0, ge=0, description="Focal loss: focusing exponent.")
    tversky_alpha: float = Field(0.7, ge=0, description="Tversky losses: price of a missed bead pixel.")
    tversky_beta: float = Field(0.3, ge=0, description="Tversky losses: price of a false bead pixel.")
    tversky_gamma: float = Field(0.75, gt=0, description="Focal Tversky loss: exponent.")
    boundary_px: int = Field(
        2, ge=1, le=32, description="Boundary term: half the width of the band along the edges, px."
    )
    marker_weight: float = Field(1.0, ge=0, description="Weight of the marker map's loss.")
    contact_weight: float = Field(
        4.0, ge=0, description="Marker map's loss: extra weight of pixels where beads touch."
    )

    @model_validator(mode="after")
    def _one_weight_a_term(self) -> Self:
        for name in ("weights", "ramp_from"):
            try:
                checked_weights(self.name, getattr(self, name))
            except ValueError as error:
                given = ",".join(f"{weight:g}" for weight in getattr(self, name))
                raise ValueError(f"{name} = {given} does not fit: {error}") from None
        return self


class Export(Section):
    """From a training run to one ONNX file."""

    opset: int = Field(20, ge=18, le=20, description="ONNX operator set.")
    licence: str = Field("unspecified", description="Licence of the model, written into the file.")
    name: str = Field("bead", description="Name of the model, written into the file.")
    blend: str | None = Field(
        None,
        description="Weights to draw the run's towards, such as those it started from: default, a run's "
        "folder, a checkpoint or a model file [none].",
    )
    blend_share: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="Share of those weights; less keeps more of the run's own.",
    )


class Inference(Section):
    """The model at work."""

    model: Path | None = Field(None, description="Model file (.onnx) [the default model in the package].")
    device: Device = Field("auto", description="auto, cpu, cuda or cuda:N.")
    diameter: str | None = Field(
        None, description="Typical bead, such as 12px or 5um [found for each image]."
    )
    threads: int | None = Field(None, ge=1, description="CPU threads [what the job may use].")
    tile_size: int = Field(
        1024, ge=0, description="Edge of a block without its halo, px; 0: the whole image."
    )


class Instances(Section):
    """From the network's maps to beads."""

    threshold: Probability | None = Field(None, description="Probability of foreground [the model's own].")
    marker_threshold: Probability | None = Field(None, description="Height of a seed [the model's own].")
    marker_rise: Probability | None = Field(
        None, description="Rise of a seed of 10 px above the pass to the next [the model's own]."
    )
    min_confidence: Fraction | None = Field(
        None, description="Least mean probability times seed height of a bead [the model's own]."
    )
    min_area: int | None = Field(None, ge=1, description="Smallest bead, px [the model's own].")
    exclude_border: bool = Field(False, description="Leave out beads that touch the image's border.")


class OutputSection(Section):
    """Results and words."""

    out_dir: Path | None = Field(None, description="Folder of the results.")
    overwrite: bool = Field(False, description="Replace results that already exist.")
    format: Form = Field(
        Form.AUTO, description="Form of the table on standard output; auto: table on a terminal, else csv."
    )
    save: Outputs = Field(
        (Output.MASKS, Output.OVERLAYS),
        description="Files to write of each image, separated by commas: masks, overlays.",
    )


class Settings(BaseModel):
    """Every setting of beadctl, a section a concern."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    data: Data = Field(default_factory=Data)
    tile: Tile = Field(default_factory=Tile)
    train: Train = Field(default_factory=Train)
    loss: LossSection = Field(default_factory=LossSection)
    export: Export = Field(default_factory=Export)
    inference: Inference = Field(default_factory=Inference)
    instances: Instances = Field(default_factory=Instances)
    output: OutputSection = Field(default_factory=OutputSection)


@dataclass(frozen=True)
class Loaded:
    """The effective settings, and where each value came from.

    Attributes
    ----------
    settings : Settings
        The effective settings.
    origins : Mapping of str to str
        ``section.field`` to ``flag``, the environment's name, the file or ``default``.
    """

    settings: Settings
    origins: Mapping[str, str]

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Yield (``section.field``, value as TOML, origin) for every setting."""
        for section, content in self.settings.model_dump(mode="json").items():
            for field, value in content.items():
                key = f"{section}.{field}"
                yield key, "" if value is None else toml_value(value), self.origins[key]


def fields() -> Iterator[tuple[str, str]]:
    """Yield every (section, field) of the settings, in order."""
    for section, info in Settings.model_fields.items():
        assert isinstance(info.annotation, type)
        assert issubclass(info.annotation, Section)
        for field in info.annotation.model_fields:
            yield section, field


def load(config: Path | None = None, flags: Mapping[str, object] | None = None) -> Loaded:
    """Read flags, environment and file, and check every name and value.

    Parameters
    ----------
    config : Path, optional
        The settings file; else ``BEADCTL_CONFIG``, else ``beadctl.toml`` where it exists.
    flags : mapping, optional
        ``section.field`` to value; None means that the flag was not given.

    Raises
    ------
    SettingsError
        For a name that is not known (with the nearest one that is), a value out of its bounds, or a
        file that cannot be read.
    """
    path, content = _read_file(config)
    layers = [
        (dict.fromkeys(content, str(path)), content),
        _read_environment(os.environ),
        _read_flags(flags or {}),
    ]
    origins = {f"{section}.{field}": "default" for section, field in fields()}
    merged: dict[str, dict[str, object]] = {}
    for names, values in layers:
        for key, value in values.items():
            section, field = key.split(".")
            merged.setdefault(section, {})[field] = value
            origins[key] = names[key]
    try:
        return Loaded(Settings(**merged), origins)
    except ValidationError as error:
        raise SettingsError(_explain(error, origins)) from None


def to_toml(settings: Settings) -> str:
    """Write settings in a form that ``--config`` takes back; unset values are left out."""
    lines = []
    for section, content in settings.model_dump(mode="json").items():
        lines.append(f"[{section}]")
        lines.extend(
            f"{field} = {toml_value(value)}" for field, value in content.items() if value is not None
        )
        lines.append("")
    return "\n".join(lines)


def toml_value(value: object) -> str:
    """Write a plain value as TOML."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case list() | tuple():
            return f"[{', '.join(map(toml_value, value))}]"
        case _:
            # JSON's escapes are TOML's, but for DEL, which TOML wants escaped too.
            return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def _read_file(config: Path | None) -> tuple[Path, dict[str, object]]:
    path = config or (Path(os.environ[OUTSIDE[0]]) if os.environ.get(OUTSIDE[0]) else Path(CONFIG_NAME))
    if not path.is_file():
        if config or os.environ.get(OUTSIDE[0]):
            raise SettingsError(f"{path}: no such settings file; write one, or leave --config out")
        return path, {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); check --config") from None
    flat: dict[str, object] = {}
    for section, values in content.items():
        _known(section, list(Settings.model_fields), f"{path}: unknown section [{{}}]")
        if not isinstance(values, dict):
            raise SettingsError(
                f"{path}: {section} is a section; write [{section}] and its settings below it"
            )
        for field, value in values.items():
            names = [name for known, name in fields() if known == section]
            _known(field, names, f"{path}: unknown setting {section}.{{}}")
            flat[f"{section}.{field}"] = value
    return path, flat


def _read_environment(environment: Mapping[str, str]) -> tuple[dict[str, str], dict[str, object]]:
    known = {f"{PREFIX}{section}__{field}".upper(): f"{section}.{field}" for section, field in fields()}
    names, values = {}, dict[str, object]()
    # Windows gives every name in capitals; elsewhere only capitals are ours.
    for name, value in sorted(environment.items()):
        if not name.startswith(PREFIX) or name in OUTSIDE:
            continue
        _known(name, list(known), "environment: unknown setting {}")
        names[known[name]], values[known[name]] = name, value
    return names, values


def _read_flags(flags: Mapping[str, object]) -> tuple[dict[str, str], dict[str, object]]:
    given = {key: value for key, value in flags.items() if value is not None}
    return dict.fromkeys(given, "flag"), given


def _known(name: str, names: list[str], problem: str) -> None:
    if name in names:
        return
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    advice = f"did you mean {near[0]}?" if near else f"valid: {', '.join(names)}"
    raise SettingsError(f"{problem.format(name)}; {advice}")


def _explain(error: ValidationError, origins: Mapping[str, str]) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"][:2])
    message = first["msg"].removeprefix("Value error, ")
    if len(first["loc"]) == 1:
        return f"{key}.{message}"
    origin = origins.get(key, "default")
    shown = "" if origin == "flag" else f" (from {origin})"
    return f"{key} = {first['input']!r}{shown}: {message[0].lower()}{message[1:]}"
