"""From what a run was asked for to all that it needs: samples, weights to start from, plan, folder."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from beadctl.console import Messages
from beadctl.dataset.manifest import MANIFEST, read_manifest, tile_size
from beadctl.losses import Loss
from beadctl.training.options import DEFAULT_OPTIONS, TrainOptions
from beadctl.training.plan import TrainingPlan
from beadctl.training.start import Start, begin

# Sizes by the tiles are multiples of this: of the stride of every network up to depth 5.
SIZE_STEP_PX = 16


@dataclass(frozen=True, eq=False)
class Asked:
    """What a training run was asked for.

    Attributes
    ----------
    numbers : mapping of str to object
        Fields of `TrainingPlan`, except those of the start; ``lr`` may be None.
    sized : bool
        Whether ``size`` was asked for; else it is that of the tiles where there are any.
    tiles : Path or None
        Folder that ``beadctl tile`` wrote; None to train on simulated scenes.
    out : Path or None
        Folder of the run; None for the `default_folder`.
    start : str or None
        Weights to start from, as `beadctl.training.start.weights` takes them; None for random ones.
    network : mapping of str to (value, origin)
        Fields of the network that were asked for, as `begin` takes them.
    options : TrainOptions
        How the run is carried out; its settings get the size, the learning rate and the network.
    """

    numbers: Mapping[str, Any]
    sized: bool = True
    tiles: Path | None = None
    out: Path | None = None
    start: str | None = None
    network: Mapping[str, tuple[Any, str]] | None = None
    options: TrainOptions = DEFAULT_OPTIONS


@dataclass(frozen=True, eq=False)
class Prepared:
    """A run that can begin; the attributes are parameters of `beadctl.training.train.train`, and `out`."""

    plan: TrainingPlan
    out: Path
    tiles: Path | None
    start: Start | None
    options: TrainOptions


def prepared(asked: Asked, messages: Messages) -> Prepared:
    """Choose the size of the samples, read the weights to start from, and make the plan.

    Parameters
    ----------
    asked : Asked
        What was asked for.
    messages : Messages
        Takes the size where it was left to the tiles, and a warning of one larger than these.

    Raises
    ------
    SettingsError
        If another network was asked for than that of the weights.
    ModelError
        If the weights, or the run to resume, cannot be read.
    TrainingError, AnnotationError
        If the size does not fit the network, or the manifest of the tiles cannot be read.
    """
    numbers = dict(asked.numbers)
    # Missing tiles are reported where they are read, after the other settings are checked.
    if asked.tiles and (asked.tiles / MANIFEST).exists():
        stated = numbers["size"] if asked.sized else None
        numbers["size"] = sample_size(asked.tiles, stated, numbers["depth"], messages)
    out = asked.out or default_folder(numbers["loss"], numbers["size"])
    start, known = begin(
        asked.start,
        lr=numbers["lr"],
        network=asked.network or {},
        run=out if asked.options.resume else None,
    )
    plan = TrainingPlan(**numbers | known)
    recorded = _with(asked.options.settings, "data", {"size": plan.size})
    options = replace(asked.options, settings=_with(recorded, "train", known))
    return Prepared(start.planned(plan) if start else plan, out, asked.tiles, start, options)


def sample_size(tiles: Path, asked: int | None, depth: int, messages: Messages) -> int:
    """Return the edge of a training sample, px: as asked for, else as large as the tiles.

    Parameters
    ----------
    tiles : Path
        Folder that ``beadctl tile`` wrote.
    asked : int or None
        The setting; None where it is left to the tiles.
    depth : int
        Of the network, whose stride the size is a multiple of.
    messages : Messages
        Says the size where it was not asked for, and warns of one larger than the tiles.
    """
    largest = tile_size(read_manifest(tiles))
    if asked:
        if largest and asked > largest:
            messages.warn(
                f"--size {asked} is larger than the tiles in {tiles} ({largest} px): the rest of a sample is"
                " mirrored, takes time, and does not count; leave --size out"
            )
        return asked
    step = max(SIZE_STEP_PX, 1 << (depth - 1))
    size = max(step, largest // step * step)
    messages.info(f"samples of {size} px, by the tiles in {tiles}; --size states another size")
    return size


def default_folder(loss: Loss, size: int) -> Path:
    """Return the folder of a run where none is given: ``runs/<loss>-<size>``."""
    return Path("runs") / f"{loss.value}-{size}"


def _with(settings: Mapping[str, Any], section: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return plain settings with other values in a section."""
    plain = {name: one.value if isinstance(one, StrEnum) else one for name, one in values.items()}
    return {**settings, section: {**settings.get(section, {}), **plain}}
