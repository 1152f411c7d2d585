"""What the figures of a comparison have in common: width, title, colours, and the way to a picture."""

from __future__ import annotations

import io
from typing import Any

from beadctl.results.html import Picture

# Okabe and Ito's colour-blind safe palette without its yellow, which is faint on white.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#7f5539")
BLUE, ORANGE = PALETTE[:2]
PALE = "#cfcfcf"

WIDTH_IN = 12.0
DPI = 110


def titled(title: str, height_in: float) -> Any:
    """Return a figure of matplotlib with a title, of a height in inches and the width of all."""
    # The object interface leaves the process's own pyplot state and backend alone.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    figure.suptitle(title, fontsize=12, fontweight="bold", x=0.01, ha="left")
    return figure


def picture(figure: Any) -> Picture:
    """Return a figure as a picture, whose caption is the title."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    return Picture(figure.get_suptitle(), buffer.getvalue())
