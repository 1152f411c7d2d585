"""Agreement as a picture: counts against manual counts, and their differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from beadctl.counting.agreement import agreement
from beadctl.results import plots
from beadctl.results.compared import Compared
from beadctl.results.plots import BLUE, ORANGE

STEM = "agreement"
SIZE_IN = (10.0, 4.2)


def draw(folder: Path, pairs: Sequence[Compared]) -> None:
    """Write agreement.png and agreement.svg: both counts of each plane, and a plot of Bland and Altman."""
    # The object interface leaves the process's own pyplot state and backend alone.
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE_IN, layout="constrained")
    both, differences = figure.subplots(1, 2)
    counts = np.array([pair.count for pair in pairs])
    manual = np.array([pair.manual for pair in pairs])
    found = agreement(counts.tolist(), manual.tolist())
    top = 1.05 * max(1, counts.max(), manual.max())
    both.plot([0, top], [0, top], "-", color="black", lw=1)
    both.plot(manual, counts, "o", ms=5, alpha=0.7, color=BLUE)
    texts = [f"{found.fields} {'plane' if found.fields == 1 else 'planes'}"]
    if math.isfinite(found.concordance):
        texts.insert(0, f"concordance {found.concordance:.3f}")
    plots.label(both, "manual count", "count", ", ".join(texts))
    differences.plot((counts + manual) / 2, counts - manual, "o", ms=5, alpha=0.7, color=BLUE)
    differences.axhline(0, color="black", lw=1)
    differences.axhline(found.bias, color=ORANGE, lw=1.5)
    texts = [f"bias {found.bias:.3g}"]
    if math.isfinite(found.limits.low):
        texts.append(f"limits {found.limits.low:.3g} to {found.limits.high:.3g}")
        for limit in (found.limits.low, found.limits.high):
            differences.axhline(limit, color=ORANGE, lw=1.2, ls="--")
    plots.label(differences, "mean of both counts", "count minus manual count", ", ".join(texts))
    plots.save(figure, folder, STEM)
