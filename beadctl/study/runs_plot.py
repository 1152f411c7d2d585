"""Every run of a comparison as a dot, with the mean of each arm."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from beadctl.results.html import Picture
from beadctl.study.figure import BLUE, ORANGE, picture, titled
from beadctl.study.outcome import Arm, Outcome
from beadctl.study.statistics import Estimate, summarise
from beadctl.study.verdict import measured_on


def distributions(outcomes: Sequence[Outcome], names: Mapping[Arm, str]) -> Picture | None:
    """Draw every finished run and the mean of each arm, by name; None without a run.

    Parameters
    ----------
    outcomes, names : sequence of Outcome and mapping of Arm to str
        All runs, and the names of their arms.
    """
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
    figure = titled("Every run, and the mean over seeds", height_in)
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
    return picture(figure)


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
