"""What a run tells while it goes on, and when it ends."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class EpochRecord:
    """One epoch: a line of ``history.csv`` and of the console.

    Attributes
    ----------
    epoch : int
        From 1.
    train_loss, mask_loss, marker_loss : float
        Means over the training samples: the terms of the loss together, each with the weight in force,
        the marker map's fit without its weight, and all terms with their weights.
    val_jaccard, val_dice, val_f1, count_mae, count_mape, count_bias : float
        Of the averaged weights on the validation images, see `Scores`.
    lr : float
        Learning rate of the last step.
    images_per_s : float
        Training samples a second, validation left out.
    seconds : float
        Length of the epoch with its validation.
    best : bool
        Whether no earlier epoch had as high a validation Jaccard.
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


@dataclass(frozen=True)
class StepRecord:
    """An optimiser step, for a progress bar: which of how many in which epoch, and its loss."""

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
    best : Path or None
        Checkpoint with the best validation Jaccard; None if no epoch was finished.
    record : EpochRecord or None
        That epoch's figures.
    epochs : int
        Epochs finished, over all sessions.
    stopped : str
        ``finished``, ``no better for N epochs``, ``time limit`` or ``interrupted``.
    device : str
        Where it ran.
    seconds : float
        Time it took, over all sessions.
    """

    best: Path | None
    record: EpochRecord | None
    epochs: int
    stopped: str
    device: str
    seconds: float
