"""A comparison as pictures: every run, learning curves, weights of the terms, and gradients."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from beadctl.files import atomic
from beadctl.results.html import Picture
from beadctl.study import history
from beadctl.study.history import Columns, Curve, Curves, curve
from beadctl.study.outcome import Arm, Outcome, labels
from beadctl.study.statistics import Estimate, summarise
from beadctl.study.verdict import measured_on

# Okabe and Ito's colour-blind safe palette without its yellow, which is faint on white.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#7f5539")
BLUE, ORANGE = PALETTE[:2]
PALE = "#cfcfcf"
DASHES = ("-", "--", "-.")

LEGEND: dict[str, Any] = {"loc": "outside right upper", "frameon": False, "fontsize": 8}
CURVES_NOTE = "mean and range over seeds; dotted where some seeds have ended"

WIDTH_IN = 12.0
DPI = 110
# Lines that can be told apart in one pair of axes; with more arms each has its own axes.
MOST_LINES = 6
PANEL_COLUMNS, MANY_PANEL_COLUMNS, MANY_PANELS = 4, 6, 16


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
        _distributions(outcomes, names),
        _learning_curves(runs, names),
        _weights(history.term_weights(runs, names)),
        _gradients(history.gradient_shares(outcomes, folder)),
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


def _figure(title: str, height_in: float) -> Any:
    # The object interface leaves the process's own pyplot state and backend alone.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    figure.suptitle(title, fontsize=12, fontweight="bold", x=0.01, ha="left")
    return figure


def _picture(figure: Any) -> Picture:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    return Picture(figure.get_suptitle(), buffer.getvalue())


def _wrapped(label: str) -> str:
    """Break a long label between its factors, not between a factor's name and its value."""
    for word in ("lr", "batch", "dropout"):
        label = label.replace(f" {word} ", f" {word}\u00a0")
    return textwrap.fill(label, 30)


# ---------------------------------------------------------------- every run


def _distributions(outcomes: Sequence[Outcome], names: Mapping[Arm, str]) -> Picture | None:
    if not names:
        return None
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator

    summaries, split = summarise(outcomes), measured_on(outcomes)
    metrics = (
        ("jaccard", f"{split} Jaccard", 1.0),
        ("f1", f"{split} F1 of beads at IoU 0.5", 1.0),
        ("count_mape", f"{split} count error, %", 100.0),
    )
    height_in = sum((name.count("\n") + 1) * 0.17 + 0.13 for name in names.values()) + 1.35
    figure = _figure("Every run, and the mean over seeds", height_in)
    panels = figure.subplots(1, len(metrics), sharey=True)
    for axes, (metric, title, scale) in zip(panels, metrics, strict=True):
        for row, summary in enumerate(summaries):
            values = _finite(outcomes, metric, scale, summary.arm)
            dots = {"color": BLUE, "alpha": 0.6, "mec": "white", "mew": 0.5}
            axes.plot(values, [row - 0.12] * len(values), "o", ms=5, **dots)
            _mean(axes, row, getattr(summary, metric), scale)
        _frame(axes, _finite(outcomes, metric, scale))
        axes.set_xlabel(title.strip(), fontsize=9)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, prune="both"))
        axes.tick_params(labelsize=8)
        axes.grid(axis="x", alpha=0.3)
    named = [names[row.arm] + (f" ({row.failed} failed)" if row.failed else "") for row in summaries]
    panels[0].set_yticks(range(len(summaries)), named, fontsize=8)
    panels[0].set_ylim(len(summaries) - 0.5, -0.5)
    marks = [
        Line2D([], [], marker="o", ls="", ms=5, color=BLUE, alpha=0.6, label="a run"),
        Line2D([], [], marker="|", ls="", ms=9, mew=2.2, color=ORANGE, label="mean"),
        Line2D([], [], lw=1.4, color=ORANGE, label="95 % interval of the mean, cut at the frame"),
    ]
    figure.legend(handles=marks, loc="outside lower right", ncols=3, frameon=False, fontsize=8)
    return _picture(figure)


def _finite(outcomes: Sequence[Outcome], metric: str, scale: float, arm: Arm | None = None) -> list[float]:
    """Return the finite values of the finished runs, of one arm or of all."""
    runs = [run for run in outcomes if run.finished and arm in (None, run.arm)]
    return [scale * value for run in runs if math.isfinite(value := getattr(run, metric))]


def _mean(axes: Any, row: int, estimate: Estimate, scale: float) -> None:
    """Draw the mean and its interval a little below the runs, where they cover none."""
    below = row + 0.2
    if estimate.n:
        axes.plot([scale * estimate.mean], [below], "|", ms=9, mew=2.2, color=ORANGE)
    if math.isfinite(estimate.low):
        ends = [scale * estimate.low, scale * estimate.high]
        axes.plot(ends, [below, below], "-", lw=1.4, color=ORANGE, solid_capstyle="butt")


def _frame(axes: Any, values: Sequence[float]) -> None:
    """Fit the axis to the runs; a wide interval of few seeds would squeeze them together."""
    if not values:
        axes.set_xlim(0, 1)
        return
    margin = max(0.25 * (max(values) - min(values)), 0.02 * max(map(abs, values)), 1e-3)
    axes.set_xlim(max(0.0, min(values) - margin), max(values) + margin)


# ---------------------------------------------------------------- over the epochs


def _learning_curves(runs: Mapping[Arm, Sequence[Columns]], names: Mapping[Arm, str]) -> Picture | None:
    jaccard, f1 = (
        {arm: line for arm, columns in runs.items() if (line := curve(columns, column))}
        for column in ("val_jaccard", "val_f1")
    )
    if len(jaccard) > MOST_LINES:
        return _learning_curve_panels(jaccard, names)
    if not jaccard:
        return None
    shown = {"Jaccard": jaccard, "F1@0.5": f1} if f1 else {"Jaccard": jaccard}
    figure = _figure(f"Learning curves: {CURVES_NOTE}", 4.0)
    panels = figure.subplots(1, len(shown), squeeze=False)[0]
    for axes, (title, lines) in zip(panels, shown.items(), strict=True):
        for colour, arm in zip(PALETTE, jaccard, strict=False):
            if arm in lines:
                _line(axes, lines[arm], colour, names[arm])
        _epochs(axes, lines.values())
        axes.set_ylim(0, _ceiling(lines.values()))
        axes.set_ylabel(f"validation {title}", fontsize=9)
        axes.set_xlabel("epoch", fontsize=9)
    figure.legend(*panels[0].get_legend_handles_labels(), **LEGEND)
    return _picture(figure)


def _learning_curve_panels(lines: Mapping[Arm, Curve], names: Mapping[Arm, str]) -> Picture:
    by_name = {names[arm]: {"val_jaccard": line} for arm, line in lines.items()}
    figure = _figure(f"Learning curves, all others in grey: {CURVES_NOTE}", _panels_height(by_name))
    for axes, own in _panels(figure, by_name):
        for other in lines.values():
            axes.plot(other.epochs, other.mean, lw=0.6, color=PALE, zorder=1)
        _line(axes, own["val_jaccard"], BLUE, "")
    figure.supylabel("validation Jaccard", fontsize=9)
    return _picture(figure)


def _weights(weights: Mapping[str, Curves]) -> Picture | None:
    if not weights:
        return None
    from matplotlib.lines import Line2D

    terms = list(dict.fromkeys(name for lines in weights.values() for name in lines))
    # Dashes as well as colours, because constant weights often coincide.
    styles = {name: (PALETTE[k % len(PALETTE)], DASHES[k % len(DASHES)]) for k, name in enumerate(terms)}
    figure = _figure("Weights of the terms: mean and range over seeds", _panels_height(weights))
    for axes, lines in _panels(figure, weights):
        for name, line in lines.items():
            _line(axes, line, styles[name][0], "", styles[name][1])
    handles = [
        Line2D([], [], color=colour, ls=dash, label=name.removeprefix("weight_"))
        for name, (colour, dash) in styles.items()
    ]
    figure.legend(handles=handles, **LEGEND)
    return _picture(figure)


def _gradients(shares: Mapping[str, Curves]) -> Picture | None:
    if not shares:
        return None
    from matplotlib.patches import Patch

    colours = dict(zip(history.SHARES, (ORANGE, BLUE, PALE), strict=True))
    figure = _figure("Where the gradient of each loss falls: mean over runs", _panels_height(shares))
    for axes, lines in _panels(figure, shares):
        epochs = lines[history.SHARES[0]].epochs
        heights = [np.interp(epochs, lines[name].epochs, lines[name].mean) for name in colours]
        if len(epochs) > 1:
            axes.stackplot(epochs, heights, colors=list(colours.values()), lw=0)
        else:
            for k, colour in enumerate(colours.values()):
                axes.bar(epochs, heights[k], bottom=sum(heights[:k]), width=0.6, color=colour)
        axes.set_ylim(0, 1)
    figure.supylabel("share of the gradient", fontsize=9)
    handles = [Patch(color=colour, label=name.removeprefix("share_")) for name, colour in colours.items()]
    figure.legend(handles=handles, **LEGEND)
    return _picture(figure)


# ---------------------------------------------------------------- axes


def _line(axes: Any, line: Curve, colour: str, label: str, dash: str = "-") -> None:
    axes.fill_between(line.epochs, line.low, line.high, color=colour, alpha=0.15, lw=0, zorder=2)
    axes.plot(line.epochs, line.mean, ls=":", lw=1.2, color=colour, zorder=3)
    marker = "o" if len(line.epochs) == 1 else ""
    style = {"marker": marker, "ls": dash, "lw": 1.6, "ms": 4, "color": colour}
    axes.plot(line.epochs, line.complete, label=label, zorder=4, **style)


def _epochs(axes: Any, lines: Iterable[Curve]) -> None:
    from matplotlib.ticker import MaxNLocator

    epochs = np.concatenate([line.epochs for line in lines])
    first, last = float(epochs.min()), float(epochs.max())
    axes.set_xlim(*((first, last) if last > first else (first - 1, first + 1)))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _ceiling(lines: Iterable[Curve]) -> float:
    """Return the end of an axis from 0 that holds every curve."""
    return 1.08 * max(float(line.high.max()) for line in lines) or 1.0


def _panels(figure: Any, curves: Mapping[str, Curves]) -> Iterable[tuple[Any, Curves]]:
    """Yield axes for the curves of each title; all have the ranges of all curves once they are drawn."""
    columns = _panel_columns(len(curves))
    panels = figure.subplots(math.ceil(len(curves) / columns), columns, squeeze=False, sharey=True).ravel()
    for axes in panels[len(curves) :]:
        axes.remove()
    figure.supxlabel("epoch", fontsize=9)
    every = [line for lines in curves.values() for line in lines.values()]
    for axes, (title, lines) in zip(panels, curves.items(), strict=False):
        axes.set_ylim(0, _ceiling(every))
        yield axes, lines
        axes.set_title(title, fontsize=8)
        _epochs(axes, every)


def _panels_height(titles: Mapping[str, Curves]) -> float:
    rows = math.ceil(len(titles) / _panel_columns(len(titles)))
    lines = max(title.count("\n") for title in titles)
    return rows * (1.75 + 0.14 * lines) + 0.7


def _panel_columns(panels: int) -> int:
    return MANY_PANEL_COLUMNS if panels > MANY_PANELS else min(PANEL_COLUMNS, max(2, panels))
