"""What a run tells while it goes on, and when it ends."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class EpochRecord:
    """One epoch: a line of ``history.csv`` and of the console.

    Attributes
    ----------
    epoch : int
        From 1.
    train_loss, mask_loss, seed_loss : float
        Means over the training samples; ``train_loss = mask_loss + seed_weight * seed_loss``.
    val_jaccard, val_dice, count_mae, count_bias : float
        Of the averaged weights on the validation images, see `Scores`.
    lr : float
        Learning rate of the last step.
    images_per_s : float
        Training samples a second, validation left out.
    seconds : float
        Length of the epoch with its validation.
    best : bool
        Whether no earlier epoch had as high a validation Jaccard.
    """

    epoch: int
    train_loss: float
    mask_loss: float
    seed_loss: float
    val_jaccard: float
    val_dice: float
    count_mae: float
    count_bias: float
    lr: float
    images_per_s: float
    seconds: float
    best: bool


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
    """

    best: Path | None
    record: EpochRecord | None
    epochs: int
    stopped: str
    device: str
