"""Figures of a finished run on held-out tiles, labelled as `beadctl.training.validation` does."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.dataset.manifest import read_manifest
from beadctl.evaluation.scoring import Score
from beadctl.training import checkpoint, device
from beadctl.training.dataset import held_out
from beadctl.training.shown import input_of
from beadctl.training.tiles import Tiles
from beadctl.training.validation import Scores, compared, label_options


@dataclass(frozen=True)
class Answer:
    """A network's result on a tile: its name, normalised image, true and found labels, comparison."""

    name: str
    image: NDArray[np.float32]
    true: NDArray[Any]
    found: NDArray[np.uint32]
    score: Score


@dataclass(frozen=True)
class Measured:
    """Figures of a checkpoint: the split, all its tiles together, and each tile by its name."""

    split: str
    scores: Scores
    tiles: tuple[tuple[str, Score], ...]


def measured_split(tiles: Path | None) -> str:
    """Return the split to measure on: ``test`` where the tiles have one, else ``val``."""
    return "test" if tiles and any(row.split == "test" for row in read_manifest(tiles)) else "val"


def measure(source: Path, tiles: Path | None, device_name: str = "auto") -> Measured:
    """Find the beads of every held-out tile with a checkpoint, and compare: of `measured_split`.

    Parameters
    ----------
    source, tiles : Path
        The checkpoint, and the folder of tiles; None for the simulated validation scenes.
    device_name : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises
    ------
    ModelError, TrainingError, AnnotationError, DeviceError
        If the checkpoint, the tiles or the device cannot be used.
    """
    split, total, each = measured_split(tiles), Score(), []
    for answer in answers(source, tiles, split, device_name):
        total += answer.score
        each.append((answer.name, answer.score))
    return Measured(split, Scores.of(total), tuple(each))


def answers(source: Path, tiles: Path | None, split: str, device_name: str = "auto") -> Iterator[Answer]:
    """Yield the result of a checkpoint on each tile of a split."""
    state = checkpoint.load(source)
    plan, target = state.settings, device.resolve(device_name)
    options = label_options(plan, state.joiner)
    network = state.network().to(target)
    names, scenes = _scenes(plan, tiles, split)
    for name, (image, true) in zip(names, scenes, strict=True):
        found, score = compared(network, image, true, target, options)
        yield Answer(name, image, true, found, score)


def _scenes(
    plan: dict[str, Any], tiles: Path | None, split: str
) -> tuple[list[str], Sequence[tuple[NDArray[np.float32], NDArray[Any]]]]:
    name = input_of(plan["inputs"])
    if tiles is None:
        scenes = held_out(plan["validation_scenes"], plan["size"], name)
        return [f"scene {index}" for index in range(len(scenes))], scenes
    held = Tiles(read_manifest(tiles), split, tiles, name)
    return [row.image.name for row in held.rows], held
