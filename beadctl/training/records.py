"""Records of a run: of its epochs, its steps and its end."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from beadctl.training.choices import SelectName

# Column of each figure that chooses the best epoch, and its name for people.
SELECTED = {
    SelectName.F1: ("val_f1", "F1"),
    SelectName.JACCARD: ("val_jaccard", "Jaccard"),
    SelectName.COUNT: ("count_mape", "count error"),
}


@dataclass(frozen=True)
class EpochRecord:
    """One epoch: a line of ``history.csv`` and of the console.

    Attributes
    ----------
    epoch : int
        From 1.
    train_loss, mask_loss, marker_loss : float
        Means over the training samples: all terms with their weights, the terms of the foreground with their
        weights, and the marker map's term without its weight.
    val_jaccard, val_dice, val_f1, count_mae, count_mape, count_bias : float
        Of the averaged weights on the validation images, see `Scores`.
    lr : float
        Learning rate of the last step.
    images_per_s, seconds : float
        Training samples a second, validation left out, and length of the epoch with its validation.
    best : bool
        Whether no earlier epoch was as good by the selected figure.
    weights : dict of str to float
        Weight of each term in the last step.
    """

    epoch: int
    train_loss: float
    mask_loss: float
    marker_loss: float
    val_jaccard: float
    val_dice: float
    val_f1: float
    count_mae: float
    count_mape: float
    count_bias: float
    lr: float
    images_per_s: float
    seconds: float
    best: bool
    weights: dict[str, float]

    def row(self) -> dict[str, Any]:
        """Return the record as columns, with one ``weight_<term>`` for each term."""
        content = asdict(self)
        weights = content.pop("weights")
        return content | {f"weight_{name}": weight for name, weight in weights.items()}

    def figure(self, select: SelectName) -> str:
        """Return the selected figure as text."""
        column, name = SELECTED[select]
        return f"{name} {getattr(self, column):.4f}"


def selected(figures: Mapping[str, Any], select: SelectName) -> float:
    """Return what is highest in the best epoch, by the columns of an `EpochRecord`."""
    value = float(figures[SELECTED[select][0]])
    return -value if select == SelectName.COUNT else value


@dataclass(frozen=True)
class StepRecord:
    """An optimiser step: epoch, number and count of steps in the epoch, loss, learning rate."""

    epoch: int
    step: int
    steps: int
    loss: float
    lr: float


@dataclass(frozen=True)
class RunResult:
    """How a run ended.

    Attributes
    ----------
    best, record : Path and EpochRecord, or None
        Best checkpoint by the selected figure, and that epoch's figures; None if the run was interrupted
        before the end of the first epoch.
    epochs, seconds : int and float
        Epochs finished and time taken, over all sessions.
    stopped : str
        ``finished``, ``no better for N epochs``, ``time limit`` or ``interrupted``.
    device : str
        Where it ran.
    """

    best: Path | None
    record: EpochRecord | None
    epochs: int
    stopped: str
    device: str
    seconds: float
