"""The result of one run of a comparison, and its file."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from beadctl.errors import OutputError

FACTORS = ("weighting", "lr", "batch_size", "dropout")

Record = TypeVar("Record")


@dataclass(frozen=True)
class Arm:
    """A combination of the settings that are compared; all other settings are shared.

    Attributes
    ----------
    loss, weighting : str
        Names of the loss and of the weighting of its terms.
    lr, dropout : float
        Peak learning rate, and share of channels that dropout zeroes.
    batch_size : int
        Tiles in a micro-batch.
    """

    loss: str
    weighting: str
    lr: float
    batch_size: int
    dropout: float


@dataclass(frozen=True)
class TileScore:
    """One tile of the measured split.

    Attributes
    ----------
    image : str
        File name of the tile.
    jaccard : float
        Foreground Jaccard; 1 where neither the annotation nor the result has any.
    true, found : int
        Number of beads in the annotation and in the result.
    """

    image: str
    jaccard: float
    true: int
    found: int


@dataclass(frozen=True)
class Outcome:
    """Figures of an arm trained with one seed, or the reason why there are none.

    Attributes
    ----------
    arm : Arm
        Compared settings.
    seed : int
        Random seed.
    folder : str
        Name of the run's folder in the folder of the comparison.
    split : str
        ``test`` or ``val``: the tiles that the checkpoint of the best validation Jaccard is measured on.
    jaccard, dice, f1, val_jaccard : float
        Foreground Jaccard and Dice; F1 of beads matched at IoU 0.5; Jaccard of validation; nan: undefined.
    count_mae, count_mape, count_bias : float
        Error of the count: mean absolute in beads, mean absolute and signed as a share of the true count.
    epoch, epochs : int
        Epoch of the checkpoint, from 1, and number of epochs trained.
    seconds : float
        Duration of the training.
    stopped, device, reason : str
        Why the training ended; its device; why the run failed, empty for a finished run.
    tiles : tuple of TileScore
        Figures of the single tiles.
    """

    arm: Arm
    seed: int
    folder: str
    split: str
    jaccard: float = math.nan
    dice: float = math.nan
    f1: float = math.nan
    count_mae: float = math.nan
    count_mape: float = math.nan
    count_bias: float = math.nan
    val_jaccard: float = math.nan
    epoch: int = 0
    epochs: int = 0
    seconds: float = 0.0
    stopped: str = ""
    device: str = ""
    reason: str = ""
    tiles: tuple[TileScore, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether the run has figures."""
        return not self.reason


def read(path: Path) -> Outcome:
    """Read an outcome from the JSON object of its fields; null becomes nan.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    OutputError
        If the file cannot be read, or has other fields or types.
    """
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        arm = _filled(Arm, facts.pop("arm"))
        tiles = tuple(_filled(TileScore, tile) for tile in facts.pop("tiles"))
        return _filled(Outcome, facts | {"arm": arm, "tiles": tiles})
    except OSError as error:
        raise OutputError(f"{path}: cannot be read ({error.strerror}); delete it and run again") from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        why = f"{error} is missing" if isinstance(error, KeyError) else error
        raise OutputError(f"{path}: is not the result of a run ({why}); delete it and run again") from None


def labels(arms: Sequence[Arm]) -> dict[Arm, str]:
    """Return a distinct name for each arm of a comparison: its loss and the factors in which the arms differ.

    Such as ``dice``, ``combined ramp`` or ``dice lr 1e-04 batch 8 dropout 0.3``.
    """
    varied = [factor for factor in FACTORS if len({getattr(arm, factor) for arm in arms}) > 1]
    return {arm: " ".join([arm.loss, *(_factor(arm, factor) for factor in varied)]) for arm in arms}


def _factor(arm: Arm, factor: str) -> str:
    if factor == "lr":
        return f"lr {_scientific(arm.lr)}"
    if factor == "batch_size":
        return f"batch {arm.batch_size}"
    return f"dropout {arm.dropout!r}" if factor == "dropout" else arm.weighting


def _scientific(value: float) -> str:
    """Return the shortest power-of-ten notation that reads back as the same number."""
    texts = (f"{value:.{digits}e}" for digits in range(17))
    return next((text for text in texts if float(text) == value), repr(value))


def _filled(kind: type[Record], facts: dict[str, Any]) -> Record:
    """Return a dataclass from a JSON object that has exactly its fields."""
    hints = get_type_hints(kind)
    if unknown := facts.keys() - hints.keys():
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
    return kind(**{name: _typed(name, facts[name], hint) for name, hint in hints.items()})


def _typed(name: str, value: Any, hint: Any) -> Any:
    if hint is float and value is None:
        return math.nan
    if hint is float and type(value) is int:
        return float(value)
    if hint in (int, float, str) and type(value) is not hint:
        raise ValueError(f"{name} is {value!r}")
    return value
