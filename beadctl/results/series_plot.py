"""Dilution series as a picture: counts with the proportional fit, and residuals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.counting.dilution import DilutedField, DilutionSeries
from beadctl.results import plots
from beadctl.results.plots import BLUE, GREY, ORANGE
from beadctl.results.series import SampleSeries

STEM = "dilution"
BELOW = "dilution factor"
WIDTH_IN, HEIGHT_IN = 10.0, 3.6
# Share of the axis between ticks of dilutions, so that their texts do not meet.
LEAST_APART = 0.09
# Powers of ten between which ticks stand.
MOST_POWERS = 4


def draw(folder: Path, series: Sequence[SampleSeries]) -> None:
    """Write dilution.png and dilution.svg: two panels for each sample that has a fit; none without one."""
    fitted = [(one, one.found) for one in series if one.found]
    if not fitted:
        return
    # The object interface leaves the process's own pyplot state and backend alone.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN * len(fitted)), layout="constrained")
    panels = figure.subplots(len(fitted), 2, squeeze=False)
    for (counts, residuals), (one, found) in zip(panels, fitted, strict=True):
        _counts(counts, one, found)
        _residuals(residuals, found)
    plots.save(figure, folder, STEM)


def _counts(axes: Any, one: SampleSeries, found: DilutionSeries) -> None:
    factors = np.array([level.dilution for level in found.levels])
    mean_area = float(np.mean([field.area for field in one.fields]))
    scaled = [_scaled(field, mean_area) for field in one.fields]
    lowest = min((count for count in scaled if count > 0), default=1.0)
    axes.plot(
        [field.dilution for field in one.fields], scaled, "o", ms=4, alpha=0.5, color=GREY, label="field"
    )
    for linear, colour, label in (
        (True, BLUE, "mean, in the linear range"),
        (False, ORANGE, "mean, outside"),
    ):
        inside = [level for level in found.levels if level.linear is linear]
        if inside:
            means = [level.mean for level in inside]
            axes.plot([level.dilution for level in inside], means, "o", ms=7, color=colour, label=label)
    axes.plot(
        factors, found.stock / factors, "-", color="black", lw=1.2, label="proportional to 1 / dilution"
    )
    _factors(axes, factors)
    # Zeros have a place below the least count.
    axes.set_yscale("symlog", linthresh=lowest, linscale=0.4)
    top = 1.6 * max(*scaled, found.stock / factors[0])
    axes.set_ylim(-0.1 * lowest, top)
    _counts_of(axes, lowest, top)
    low, high = found.slope_interval.low, found.slope_interval.high
    name = f"{one.sample}: " if one.sample else ""
    plots.label(axes, BELOW, "beads a field", f"{name}slope {found.slope:.2f} ({low:.2f} to {high:.2f})")
    axes.legend(fontsize=8, frameon=False)


def _factors(axes: Any, factors: NDArray[np.float64]) -> None:
    """Make the axis of dilutions logarithmic, with a tick at each, as far as their texts have room."""
    axes.set_xscale("log")
    span, ticks = math.log(factors[-1] / factors[0]), [factors[0]]
    for factor in factors[1:]:
        if math.log(factor / ticks[-1]) >= LEAST_APART * span:
            ticks.append(factor)
    axes.set_xticks(ticks, [f"{factor:g}x" for factor in ticks])
    axes.minorticks_off()


def _counts_of(axes: Any, lowest: float, top: float) -> None:
    """Put ticks at 0 and at 1, 2 and 5 times powers of ten, or at these powers where there are many."""
    powers = range(math.floor(math.log10(lowest)), math.ceil(math.log10(top)) + 1)
    steps = (1, 2, 5) if len(powers) <= MOST_POWERS else (1,)
    ticks = [step * 10.0**power for power in powers for step in steps]
    ticks = [0.0, *(tick for tick in ticks if lowest <= tick <= top)]
    axes.set_yticks(ticks, [f"{tick:,.10g}" for tick in ticks])
    axes.minorticks_off()


def _scaled(field: DilutedField, mean_area: float) -> float:
    return field.count / field.area * mean_area


def _residuals(axes: Any, found: DilutionSeries) -> None:
    for level in found.levels:
        colour = BLUE if level.linear else ORANGE
        axes.plot([level.dilution] * 2, [0, 100 * level.residual], "-", lw=1.5, color=colour)
        axes.plot([level.dilution], [100 * level.residual], "o", ms=7, color=colour)
    axes.axhline(0, color="black", lw=1.2)
    _factors(axes, np.array([level.dilution for level in found.levels]))
    p = found.proportional_p
    text = f"p {p:.2g}" if math.isfinite(p) else ""
    title = f"proportionality index {found.proportionality_index:.2f}, {text}"
    plots.label(axes, BELOW, "mean minus fit, % of the fit", title)
