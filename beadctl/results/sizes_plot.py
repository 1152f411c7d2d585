"""Diameters as a picture: a histogram for each group."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from beadctl.counting.specimen import Specimen
from beadctl.results import plots
from beadctl.results.sizes import GroupSizes
from beadctl.words import number_of

STEM = "sizes"
# Groups that are drawn; the tables have all.
MOST = 12
COLUMNS = 2
WIDTH_IN, HEIGHT_IN = 5.2, 3.2


def draw(folder: Path, groups: Sequence[GroupSizes]) -> None:
    """Write sizes.png and sizes.svg: the first twelve groups that have beads; nothing without one."""
    drawn = [group for group in groups if group.histogram][:MOST]
    if not drawn:
        return
    # The object interface leaves the process's own pyplot state and backend alone.
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(drawn))
    rows = -(-len(drawn) // columns)
    figure = Figure(figsize=(WIDTH_IN * columns, HEIGHT_IN * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, group in zip(panels, drawn, strict=False):
        _panel(axes, group)
    for axes in panels[len(drawn) :]:
        axes.set_visible(False)
    plots.save(figure, folder, STEM)


def _panel(axes: Any, group: GroupSizes) -> None:
    row, histogram = group.row, group.histogram
    assert histogram is not None
    if group.nominal:
        low, high = (group.nominal.diameter_um + sign * group.nominal.tolerance_um for sign in (-1, 1))
        share = f"{row.inside_share:.1%} in {low:.4g} to {high:.4g} um"
        axes.axvspan(low, high, color=plots.ORANGE, alpha=0.2, lw=0, label=share)
    axes.bar(
        histogram.edges[:-1],
        histogram.beads,
        np.diff(histogram.edges),
        align="edge",
        color=plots.BLUE,
        alpha=0.8,
    )
    for name, value, style in (("D10", row.d10, ":"), ("D50", row.d50, "-"), ("D90", row.d90, "--")):
        axes.axvline(value, color="black", lw=1.2, ls=style, label=f"{name} {value:.4g} {row.unit}")
    # Room for the legend.
    axes.set_ylim(0, 1.5 * histogram.beads.max())
    title = (
        f"{Specimen(row.sample, row.dilution).group}: {number_of(row.beads, 'bead')}, CV {row.cv or 0:.1%}"
    )
    plots.label(axes, f"diameter, {row.unit}", "beads", title)
    axes.legend(fontsize=8, facecolor="white", framealpha=0.9, edgecolor="none")
