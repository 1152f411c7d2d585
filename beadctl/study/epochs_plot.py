"""What changes over the epochs of a comparison: learning curves, weights of the terms, and gradients."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from beadctl.results.html import Picture
from beadctl.study import history
from beadctl.study.figure import BLUE, ORANGE, PALE, PALETTE, picture, titled
from beadctl.study.history import Columns, Curve, Curves, curve
from beadctl.study.outcome import Arm

DASHES = ("-", "--", "-.")

LEGEND: dict[str, Any] = {"loc": "outside right upper", "frameon": False, "fontsize": 8}
CURVES_NOTE = "mean and range over seeds; dotted where some seeds have ended"
# Lines that can be told apart in one pair of axes; with more arms each has its own axes.
MOST_LINES = 6
PANEL_COLUMNS, MANY_PANEL_COLUMNS, MANY_PANELS = 4, 6, 16


def learning_curves(runs: Mapping[Arm, Sequence[Columns]], names: Mapping[Arm, str]) -> Picture | None:
    """Draw the validation figures over the epochs, all arms in one pair of axes or each in its own.

    Parameters
    ----------
    runs : mapping of Arm to sequence of Columns
        Histories of the runs of each arm.
    names : mapping of Arm to str
        Their names.
    """
    jaccard, f1 = (
        {arm: line for arm, columns in runs.items() if (line := curve(columns, column))}
        for column in ("val_jaccard", "val_f1")
    )
    if len(jaccard) > MOST_LINES:
        return _learning_curve_panels(jaccard, names)
    if not jaccard:
        return None
    shown = {"Jaccard": jaccard, "F1@0.5": f1} if f1 else {"Jaccard": jaccard}
    figure = titled(f"Learning curves: {CURVES_NOTE}", 4.0)
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
    return picture(figure)


def _learning_curve_panels(lines: Mapping[Arm, Curve], names: Mapping[Arm, str]) -> Picture:
    by_name = {names[arm]: {"val_jaccard": line} for arm, line in lines.items()}
    figure = titled(f"Learning curves, all others in grey: {CURVES_NOTE}", _panels_height(by_name))
    for axes, own in _panels(figure, by_name):
        for other in lines.values():
            axes.plot(other.epochs, other.mean, lw=0.6, color=PALE, zorder=1)
        _line(axes, own["val_jaccard"], BLUE, "")
    figure.supylabel("validation Jaccard", fontsize=9)
    return picture(figure)


def weights(arms: Mapping[str, Curves]) -> Picture | None:
    """Draw the weights of the terms over the epochs, by the names of arms."""
    if not arms:
        return None
    from matplotlib.lines import Line2D

    terms = list(dict.fromkeys(name for lines in arms.values() for name in lines))
    # Dashes as well as colours, because constant weights often coincide.
    styles = {name: (PALETTE[k % len(PALETTE)], DASHES[k % len(DASHES)]) for k, name in enumerate(terms)}
    figure = titled("Weights of the terms: mean and range over seeds", _panels_height(arms))
    for axes, lines in _panels(figure, arms):
        for name, line in lines.items():
            _line(axes, line, styles[name][0], "", styles[name][1])
    handles = [
        Line2D([], [], color=colour, ls=dash, label=name.removeprefix("weight_"))
        for name, (colour, dash) in styles.items()
    ]
    figure.legend(handles=handles, **LEGEND)
    return picture(figure)


def gradients(shares: Mapping[str, Curves]) -> Picture | None:
    """Draw on which pixels the gradient of each loss falls over the epochs, by the names of losses."""
    if not shares:
        return None
    from matplotlib.patches import Patch

    colours = dict(zip(history.SHARES, (ORANGE, BLUE, PALE), strict=True))
    figure = titled("Where the gradient of each loss falls: mean over runs", _panels_height(shares))
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
    return picture(figure)


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
