"""What one run of a comparison reached, and the file that says so."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from beadctl.errors import OutputError
from beadctl.files import write_json

FACTORS = ("weighting", "lr", "batch_size", "dropout")

Row = TypeVar("Row")


@dataclass(frozen=True)
class Arm:
    """A setting that is compared; everything else is the same for all.

    Attributes
    ----------
    loss : str
        Name of the loss.
    weighting : str
        Name of the rule that weights its terms.
    lr : float
        Peak learning rate.
    batch_size : int
        Tiles a step.
    dropout : float
        Share of channels dropped.
    """

    loss: str
    weighting: str
    lr: float
    batch_size: int
    dropout: float


@dataclass(frozen=True)
class TileScore:
    """One tile of the split that is measured on: foreground Jaccard, and beads true and found."""

    image: str
    jaccard: float
    true: int
    found: int


@dataclass(frozen=True)
class Outcome:
    """One run: an arm trained with one seed, and its figures or why it has none.

    Attributes
    ----------
    arm, seed
        What was run.
    folder : str
        Name of the run's folder below the comparison's.
    split : str
        ``test`` or ``val``: what the figures are measured on, with the checkpoint of the best
        validation Jaccard.
    jaccard, dice, f1, count_mae, count_mape, count_bias : float
        Foreground Jaccard and Dice, F1 of beads matched at IoU 0.5, and errors of the count:
        in beads (mae), or as a share of the true count (mape, bias); nan where undefined.
    val_jaccard : float
        By which the checkpoint was chosen.
    epoch, epochs : int
        That of the checkpoint, from 1; and all that were done.
    seconds : float
        Length of the training.
    stopped : str
        Why it ended.
    device : str
        Where it ran.
    reason : str
        Why it failed; empty when it did not.
    tiles : tuple of TileScore
        The measured tiles one by one, where they are kept.
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


def write(path: Path, outcome: Outcome) -> None:
    """Write an outcome as strict JSON, whole or not at all; what is not a finite number becomes null.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    write_json(path, asdict(outcome))


def read(path: Path) -> Outcome:
    """Read back what `write` wrote; null becomes nan.

    Raises
    ------
    OutputError
        If there is no such file, or it is not one that `write` wrote.
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
    """Return a name for each arm: its loss and those factors in which the arms differ.

    ``dice``; ``combined ramp``; ``dice lr 1e-04 batch 8 dropout 0.3``. Different arms have different names.
    """
    varied = [factor for factor in FACTORS if len({getattr(arm, factor) for arm in arms}) > 1]
    return {arm: " ".join([arm.loss, *(_words(arm, factor) for factor in varied)]) for arm in arms}


def _words(arm: Arm, factor: str) -> str:
    if factor == "lr":
        return f"lr {_scientific(arm.lr)}"
    if factor == "batch_size":
        return f"batch {arm.batch_size}"
    return f"dropout {arm.dropout!r}" if factor == "dropout" else arm.weighting


def _scientific(value: float) -> str:
    """Return the shortest power-of-ten notation that is still this very number."""
    texts = (f"{value:.{digits}e}" for digits in range(17))
    return next((text for text in texts if float(text) == value), repr(value))


def _filled(kind: type[Row], facts: dict[str, Any]) -> Row:
    """Return a row of `kind` from JSON's types, and no more or less than its fields."""
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
