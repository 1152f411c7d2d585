"""Keyword arguments as the settings of a command."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from beadctl.cli.names import require_known
from beadctl.cli.settings import Loaded, fields, stated
from beadctl.errors import SettingsError

# Options of which the setting has another name, as their flags do.
KEYS = {"loss": "loss.name"}


class SegmentOptions(TypedDict, total=False):
    """Options of ``beadctl segment`` that a result depends on; ``beadctl segment --help`` describes them."""

    axes: str | None
    channel: int | None
    plane: int | None
    series: int | None
    project: str | None
    region: str | os.PathLike[str] | None
    region_exclude: str | os.PathLike[str] | None
    counting_frame: str | float | None
    diameter: str | float | None
    threshold: float | None
    marker_threshold: float | None
    marker_rise: float | None
    min_confidence: float | None
    min_area: str | float | None
    max_area: str | float | None
    min_circularity: float | None
    min_diameter: str | float | None
    max_diameter: str | float | None
    exclude_border: bool
    tile_size: int | None
    max_memory: str | float | None


class CountOptions(SegmentOptions, total=False):
    """Those of ``beadctl count``, without its statistics."""

    include: str | Sequence[str]
    exclude: str | Sequence[str]
    recursive: bool
    link_z: bool


class TrainOptions(TypedDict, total=False):
    """Options of ``beadctl train``."""

    size: int
    seed: int
    device: str
    threads: int | None
    start: str | os.PathLike[str] | None
    simulate: int
    epochs: int
    max_minutes: float | None
    batch_size: int
    accumulate: int
    lr: float | None
    weight_decay: float
    warmup_epochs: float
    schedule: str
    plateau_epochs: int
    plateau_factor: float
    select: str
    patience: int
    arch: str
    width: int
    depth: int
    steps_per_epoch: int | None
    max_channels: int
    dropout: float
    dilation: int
    clip_norm: float
    ema_decay: float
    precision: str
    augment: bool
    workers: int | None
    tensorboard: bool
    loss: str
    weights: Sequence[float] | None
    weighting: str
    ramp_from: Sequence[float] | None
    ramp_epochs: float
    focal_alpha: float
    focal_gamma: float
    tversky_alpha: float
    tversky_beta: float
    tversky_gamma: float
    boundary_px: int
    marker_weight: float
    contact_weight: float


def settings_of(function: str, known: type, options: Mapping[str, Any], **named: Any) -> Loaded:
    """Return the settings that the arguments of a function stand for.

    Parameters
    ----------
    function : str
        Its name, for messages.
    known : type
        The typed dictionary of its options.
    options, named
        What it was given, and settings that are arguments of their own; None stands for the default.

    Raises
    ------
    SettingsError
        If an option does not exist, or a value is empty or out of its bounds.
    """
    names = list(known.__annotations__)
    for name in options:
        require_known(name, names, f"{function}(): unknown option {{}}")
    keys = {field: f"{section}.{field}" for section, field in reversed(list(fields()))} | KEYS
    plain = {name: _plain(value) for name, value in {**options, **named}.items()}
    for name, value in plain.items():
        if isinstance(value, str) and not value:
            raise SettingsError(f"{function}(): {name} is empty; give it a value, or leave it out")
    return stated({keys[name]: value for name, value in plain.items()})


def path_of(function: str, path: str | os.PathLike[str]) -> Path:
    """Return a path that a function was given; an empty one would be the working folder.

    Raises
    ------
    SettingsError
        If it is empty.
    """
    if not os.fspath(path):
        raise SettingsError(f"{function}(): a path is empty; give that of a file or folder")
    return Path(path)


def _plain(value: Any) -> Any:
    """Return a path as text, and a number of NumPy as one of Python."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value.item() if isinstance(value, np.generic) else value
