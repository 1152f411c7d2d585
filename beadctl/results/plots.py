"""Plots as files: PNG for a report, SVG for a publication."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from beadctl.files import atomic

# Of Okabe and Ito's colour-blind safe palette.
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#8c8c8c"
DPI = 110


def save(figure: Any, folder: Path, stem: str) -> None:
    """Write a figure of matplotlib as ``STEM.png`` and ``STEM.svg``; equal figures give equal bytes."""
    import matplotlib as mpl

    # Text that can be edited, and names that do not change from run to run.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": stem}):
        for suffix, metadata in ((".png", {}), (".svg", {"Date": None})):
            with atomic(folder / f"{stem}{suffix}") as temporary:
                figure.savefig(temporary, dpi=DPI, metadata=metadata)


def label(axes: Any, below: str, beside: str, title: str = "") -> None:
    """Give a panel its texts, a faint grid, and no frame above and to the right."""
    axes.set_xlabel(below, fontsize=9)
    axes.set_ylabel(beside, fontsize=9)
    axes.set_title(title, fontsize=10, loc="left")
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
