"""A comparison as pictures: every run, learning curves, weights of the terms, and gradients."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from beadctl.files import atomic
from beadctl.results.html import Picture
from beadctl.study import history
from beadctl.study.epochs_plot import gradients, learning_curves, weights
from beadctl.study.history import Columns
from beadctl.study.outcome import Arm, Outcome, labels
from beadctl.study.runs_plot import distributions
from beadctl.study.statistics import summarise


def pictures(outcomes: Sequence[Outcome], folder: Path) -> list[Picture]:
    """Draw the pictures of a report, of equal width; one without data is left out.

    Parameters
    ----------
    outcomes : sequence of Outcome
        All runs, failed ones too.
    folder : Path
        The folder of the comparison; those of the runs in it have ``history.csv`` and ``gradients.csv``.
    """
    arms = [row.arm for row in summarise(outcomes)]
    names = {arm: _wrapped(name) for arm, name in labels(arms).items()}
    runs: dict[Arm, list[Columns]] = {arm: [] for arm in arms}
    for run in outcomes:
        if columns := history.read(folder / run.folder / history.HISTORY):
            runs[run.arm].append(columns)
    drawn = (
        distributions(outcomes, names),
        learning_curves(runs, names),
        weights(history.term_weights(runs, names)),
        gradients(history.gradient_shares(outcomes, folder)),
    )
    return [picture for picture in drawn if picture]


def stack(parts: Sequence[Picture], path: Path) -> None:
    """Write pictures one below another as one PNG.

    Parameters
    ----------
    parts : sequence of Picture
        The pictures; without any the file is a blank line.
    path : Path
        The file.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    images = [Image.open(io.BytesIO(part.png)).convert("RGB") for part in parts]
    size = (max((image.width for image in images), default=1), sum(image.height for image in images) or 1)
    sheet, top = Image.new("RGB", size, "white"), 0
    for image in images:
        sheet.paste(image, (0, top))
        top += image.height
    with atomic(path) as temporary:
        sheet.save(temporary, format="PNG")


def _wrapped(label: str) -> str:
    """Break a long label between its factors, not between a factor's name and its value."""
    for word in ("lr", "batch", "dropout"):
        label = label.replace(f" {word} ", f" {word}\u00a0")
    return textwrap.fill(label, 30)
