"""The learning curve as a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from beadctl.files import atomic

BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#999999"
COLOURS = (BLUE, ORANGE, "#cc79a7", GREEN)


def draw(history: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw training loss, validation Jaccard, count error and the terms' weights over the epochs as PNG.

    Parameters
    ----------
    history, path : sequence of mapping and Path
        Records as in ``history.csv``, at least one; and the file to write.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    # The object interface does not touch pyplot's state or backend.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    epochs = [record["epoch"] for record in history]
    best = [record for record in history if record["best"]][-1]
    figure = Figure(figsize=(14.5, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    loss, jaccard, count, weights = figure.subplots(1, 4)
    mark = "o" if len(epochs) < 30 else ""

    def line(axes: Any, name: str, colour: str) -> None:
        values = [record[name] for record in history]
        axes.plot(epochs, values, mark, ls="-", ms=3, color=colour, label=name.replace("_", " "))

    for name, colour in (("train_loss", BLUE), ("mask_loss", ORANGE), ("marker_loss", GREEN)):
        line(loss, name, colour)
    loss.set(title="Training loss", ylim=(0, None))
    loss.legend(frameon=False, fontsize=8)
    line(jaccard, "val_jaccard", BLUE)
    line(jaccard, "val_f1", GREEN)
    jaccard.legend(("Jaccard", "F1@0.5"), frameon=False, fontsize=8)
    jaccard.set(ylim=(0, 1))
    jaccard.set_title(f"Validation, best epoch {best['epoch']}: F1 {best['val_f1']:.3f}")
    line(count, "count_mae", BLUE)
    count.set(title="Validation count error, beads an image", ylim=(0, None))
    for name, colour in zip(history[0]["weights"], COLOURS, strict=False):
        values = [record["weights"][name] for record in history]
        weights.plot(epochs, values, mark, ls="-", ms=3, color=colour, label=name)
    weights.set(title="Weights of the terms", ylim=(0, None))
    weights.legend(frameon=False, fontsize=8)
    for axes in (jaccard, count):
        axes.axvline(best["epoch"], color=GREY, lw=1, ls=":")
    for axes in (loss, jaccard, count, weights):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        axes.title.set_fontsize(10)
    with atomic(path) as temporary:
        figure.savefig(temporary, dpi=120)
