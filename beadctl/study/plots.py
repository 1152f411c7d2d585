"""A comparison as pictures: every run, the learning curves, the weights, and where the gradients fall."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from beadctl.files import atomic
from beadctl.results.html import Picture
from beadctl.study import history
from beadctl.study.history import Columns, Curve, curve
from beadctl.study.outcome import Arm, Outcome, labels
from beadctl.study.statistics import Figure as Statistic
from beadctl.study.statistics import summarise, what_is_measured

# Okabe and Ito's palette, told apart by the colour-blind, without the yellow that white paper swallows.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#7f5539")
BLUE, ORANGE, GREEN = PALETTE[:3]
GREY, PALE = "#6b6b6b", "#cfcfcf"
DASHES = ("-", "--", "-.")

BESIDE: dict[str, Any] = {"loc": "outside right upper", "frameon": False, "fontsize": 8}

WIDTH_IN = 12.0
DPI = 110
# Lines that an eye tells apart in one pair of axes; more arms get axes of their own.
MOST_LINES = 6
# Means of equal numbers differ by their rounding.
CONSTANT = 1e-9
PANEL_COLUMNS, MANY_PANEL_COLUMNS, MANY_PANELS = 4, 6, 16

Runs = Mapping[Arm, Sequence[Columns]]


@dataclass(frozen=True)
class Drawing:
    """A picture before it is drawn: its title, its height in inches, and what draws it on a figure."""

    title: str
    height_in: float
    draw: Callable[[Any], None]


def pictures(outcomes: Sequence[Outcome], folder: Path) -> list[Picture]:
    """Draw what there is something to draw for, in the order of a report.

    Parameters
    ----------
    outcomes : sequence of Outcome
        All runs, failed ones too.
    folder : Path
        The comparison's, with the run folders below: ``history.csv`` and ``gradients.csv`` are read there,
        and where they are missing so are their lines.

    Returns
    -------
    list of Picture
        Of equal width.
    """
    arms = [row.arm for row in summarise(outcomes)]
    names = {arm: _wrapped(name) for arm, name in labels(arms).items()}
    runs = {arm: _histories(outcomes, arm, folder) for arm in arms}
    drawings = (
        _distributions(outcomes, names),
        _curves(runs, names),
        _weights(runs, names),
        _gradients(outcomes, folder),
    )
    return [_drawn(drawing) for drawing in drawings if drawing]


def stack(parts: Sequence[Picture], path: Path) -> None:
    """Write pictures one below another as one PNG; none at all as a blank line.

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


def _drawn(drawing: Drawing) -> Picture:
    # The object interface leaves the process's own pyplot state and backend alone.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, drawing.height_in), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(drawing.title, fontsize=12, fontweight="bold", x=0.01, ha="left")
    drawing.draw(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    return Picture(drawing.title, buffer.getvalue())


def _wrapped(label: str) -> str:
    """Break a long label between its factors, not between a factor's name and its value."""
    for word in ("lr", "batch", "dropout"):
        label = label.replace(f" {word} ", f" {word}\u00a0")
    return textwrap.fill(label, 30)


# ---------------------------------------------------------------- every run


def _distributions(outcomes: Sequence[Outcome], names: Mapping[Arm, str]) -> Drawing | None:
    if not names:
        return None
    summaries = summarise(outcomes)
    lines = [max(1, name.count("\n") + 1) * 0.17 + 0.13 for name in names.values()]
    split = what_is_measured(outcomes)
    metrics = (
        ("jaccard", f"{split} Jaccard", 1.0),
        ("f1", f"{split} F1 of beads at IoU 0.5", 1.0),
        ("count_mape", f"{split} count error, %", 100.0),
    )

    def paint(area: Any) -> None:
        from matplotlib.ticker import MaxNLocator

        panels = area.subplots(1, len(metrics), sharey=True)
        for axes, (metric, words, scale) in zip(panels, metrics, strict=True):
            for row, summary in enumerate(summaries):
                runs = [run for run in outcomes if run.arm == summary.arm]
                _dots(axes, row, [scale * getattr(run, metric) for run in runs if run.finished])
                _mean(axes, row, getattr(summary, metric), scale)
            _frame(axes, [scale * getattr(run, metric) for run in outcomes if run.finished])
            axes.set_xlabel(words.strip(), fontsize=9)
            axes.xaxis.set_major_locator(MaxNLocator(nbins=6, prune="both"))
            axes.tick_params(labelsize=8)
            axes.grid(axis="x", alpha=0.3)
        named = [names[row.arm] + (f" ({row.failed} failed)" if row.failed else "") for row in summaries]
        panels[0].set_yticks(range(len(summaries)), named, fontsize=8)
        panels[0].set_ylim(len(summaries) - 0.5, -0.5)
        _key(area)

    return Drawing("Every run, and the mean over seeds", sum(lines) + 1.35, paint)


def _dots(axes: Any, row: int, values: Sequence[float]) -> None:
    known = [value for value in values if math.isfinite(value)]
    axes.plot(known, [row - 0.12] * len(known), "o", ms=5, color=BLUE, alpha=0.6, mec="white", mew=0.5)


def _mean(axes: Any, row: int, statistic: Statistic, scale: float) -> None:
    """Draw the mean and its interval a little below the runs, so that neither hides the other."""
    below = row + 0.2
    if statistic.n:
        axes.plot([scale * statistic.mean], [below], "|", ms=9, mew=2.2, color=ORANGE)
    if statistic.n > 1:
        ends = [scale * statistic.low, scale * statistic.high]
        axes.plot(ends, [below, below], "-", lw=1.4, color=ORANGE, solid_capstyle="butt")


def _frame(axes: Any, values: Iterable[float]) -> None:
    """Frame the runs: with two seeds an interval is so wide that it would squeeze them into a point."""
    known = [value for value in values if math.isfinite(value)]
    if not known:
        axes.set_xlim(0, 1)
        return
    margin = max(0.25 * (max(known) - min(known)), 0.02 * max(map(abs, known)), 1e-3)
    axes.set_xlim(max(0.0, min(known) - margin), max(known) + margin)


def _key(area: Any) -> None:
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], marker="o", ls="", ms=5, color=BLUE, alpha=0.6, label="a run"),
        Line2D([], [], marker="|", ls="", ms=9, mew=2.2, color=ORANGE, label="mean"),
        Line2D([], [], lw=1.4, color=ORANGE, label="95 % interval of the mean, cut at the frame"),
    ]
    area.legend(handles=marks, loc="outside lower right", ncols=3, frameon=False, fontsize=8)


# ---------------------------------------------------------------- over the epochs


def _histories(outcomes: Sequence[Outcome], arm: Arm, folder: Path) -> list[Columns]:
    found = [history.read(folder / run.folder / history.HISTORY) for run in outcomes if run.arm == arm]
    return [columns for columns in found if columns]


def _curves(runs: Runs, names: Mapping[Arm, str]) -> Drawing | None:
    jaccard = _known({arm: curve(columns, "val_jaccard") for arm, columns in runs.items()})
    if not jaccard:
        return None
    if len(jaccard) > MOST_LINES:
        return _curve_panels(jaccard, names)
    f1 = _known({arm: curve(columns, "val_f1") for arm, columns in runs.items()})
    shown = [(words, found) for words, found in (("Jaccard", jaccard), ("F1@0.5", f1)) if found]

    def paint(area: Any) -> None:
        panels = area.subplots(1, len(shown), squeeze=False)[0]
        for axes, (words, found) in zip(panels, shown, strict=True):
            for colour, arm in zip(PALETTE, jaccard, strict=False):
                if arm in found:
                    _line(axes, found[arm], colour, names[arm])
            _epochs(axes, found.values())
            axes.set_ylim(0, _ceiling(found.values()))
            axes.set_ylabel(f"validation {words}", fontsize=9)
            axes.set_xlabel("epoch", fontsize=9)
        area.legend(*panels[0].get_legend_handles_labels(), **BESIDE)

    return Drawing(f"Learning curves: {CURVES_EXPLAINED}", 4.0, paint)


CURVES_EXPLAINED = "mean and range over seeds; dotted where some seeds have ended"


def _curve_panels(found: Mapping[Arm, Curve], names: Mapping[Arm, str]) -> Drawing:
    def paint(area: Any) -> None:
        for axes, arm in _panels(area, list(found), share_y=True):
            for other in found.values():
                axes.plot(other.epochs, other.mean, lw=0.6, color=PALE, zorder=1)
            _line(axes, found[arm], BLUE, "")
            _epochs(axes, found.values())
            axes.set_title(names[arm], fontsize=8)
            axes.set_ylim(0, _ceiling(found.values()))
        area.supxlabel("epoch", fontsize=9)
        area.supylabel("validation Jaccard", fontsize=9)

    return Drawing(
        f"Learning curves, all others in grey: {CURVES_EXPLAINED}",
        _panels_height([names[arm] for arm in found]),
        paint,
    )


def _weights(runs: Runs, names: Mapping[Arm, str]) -> Drawing | None:
    found: dict[str, dict[str, Curve]] = {}
    for arm, columns in runs.items():
        own = dict.fromkeys(name for one in columns for name in one if name.startswith("weight_"))
        weights = _known({name: curve(columns, name) for name in own})
        if any(np.ptp(weight.mean) > CONSTANT for weight in weights.values()):
            found[names[arm]] = weights
        elif len(weights.keys() - {"weight_seed"}) > 1:
            # Constant weights are the loss's own, whatever else the arm differs in: once is enough.
            found[f"{arm.loss}, constant"] = weights
    if not found:
        return None
    terms = list(dict.fromkeys(name for weights in found.values() for name in weights))
    styles = _styles(terms)

    every = [weight for weights in found.values() for weight in weights.values()]

    def paint(area: Any) -> None:
        for axes, title in _panels(area, list(found), share_y=True):
            for name, weight in found[title].items():
                _line(axes, weight, styles[name][0], "", styles[name][1])
            _epochs(axes, every)
            axes.set_title(title, fontsize=8)
            axes.set_ylim(0, _ceiling(every))
        area.supxlabel("epoch", fontsize=9)
        area.legend(
            handles=_handles({name.removeprefix("weight_"): styles[name] for name in terms}), **BESIDE
        )

    return Drawing("Weights of the terms: mean and range over seeds", _panels_height(found), paint)


def _gradients(outcomes: Sequence[Outcome], folder: Path) -> Drawing | None:
    audits: dict[str, list[Columns]] = {}
    own: dict[str, list[Columns]] = {}
    for run in outcomes:
        for loss, columns in history.read_by_loss(folder / run.folder / history.GRADIENTS).items():
            audits.setdefault(loss, []).append(columns)
            if loss == run.arm.loss:
                own.setdefault(loss, []).append(columns)
    shares = ("share_boundary", "share_interior", "share_background")
    found = {}
    for loss, audit in audits.items():
        curves = _known({name: curve(own.get(loss, audit), name) for name in shares})
        if len(curves) == len(shares):
            found[loss] = curves
    if not found:
        return None
    colours = dict(zip(shares, (ORANGE, BLUE, PALE), strict=True))

    def paint(area: Any) -> None:
        for axes, loss in _panels(area, list(found), share_y=True):
            curves = found[loss]
            epochs = curves[shares[0]].epochs
            heights = [np.interp(epochs, curves[name].epochs, curves[name].mean) for name in shares]
            if len(epochs) > 1:
                axes.stackplot(epochs, heights, colors=[colours[name] for name in shares], lw=0)
            else:
                for k, name in enumerate(shares):
                    axes.bar(epochs, heights[k], bottom=sum(heights[:k]), width=0.6, color=colours[name])
            axes.set_title(f"{loss}, {'its own runs' if loss in own else 'all runs'}", fontsize=8)
            axes.set_ylim(0, 1)
            _epochs(axes, [one for curves in found.values() for one in curves.values()])
        area.supxlabel("epoch", fontsize=9)
        area.supylabel("share of the gradient", fontsize=9)
        area.legend(
            handles=_patches({name.removeprefix("share_"): colours[name] for name in shares}), **BESIDE
        )

    title = "Where the gradient of each loss falls: mean over runs"
    return Drawing(title, _panels_height(found), paint)


# ---------------------------------------------------------------- parts of pictures


def _line(axes: Any, values: Curve, colour: str, label: str, style: str = "-") -> None:
    mark = "o" if len(values.epochs) == 1 else ""
    axes.fill_between(values.epochs, values.low, values.high, color=colour, alpha=0.15, lw=0, zorder=2)
    axes.plot(values.epochs, values.mean, ls=":", lw=1.2, color=colour, zorder=3)
    axes.plot(
        values.epochs,
        values.complete,
        marker=mark,
        ls=style,
        lw=1.6,
        ms=4,
        color=colour,
        label=label,
        zorder=4,
    )


def _epochs(axes: Any, curves: Iterable[Curve]) -> None:
    from matplotlib.ticker import MaxNLocator

    ends = [(float(one.epochs.min()), float(one.epochs.max())) for one in curves]
    first, last = min(one[0] for one in ends), max(one[1] for one in ends)
    axes.set_xlim(*((first, last) if last > first else (first - 1, first + 1)))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _ceiling(curves: Iterable[Curve]) -> float:
    """Return where an axis from 0 ends so that every curve fits."""
    return 1.08 * max(float(one.high.max()) for one in curves) or 1.0


def _panels(area: Any, keys: Sequence[Any], *, share_y: bool = False) -> Iterable[tuple[Any, Any]]:
    columns = _panel_columns(len(keys))
    rows = math.ceil(len(keys) / columns)
    panels = area.subplots(rows, columns, squeeze=False, sharey=share_y).ravel()
    for axes in panels[len(keys) :]:
        axes.remove()
    return zip(panels, keys, strict=False)


def _panels_height(titles: Iterable[str]) -> float:
    titles = list(titles)
    rows = math.ceil(len(titles) / _panel_columns(len(titles)))
    lines = max(title.count("\n") for title in titles)
    return rows * (1.75 + 0.14 * lines) + 0.7


def _panel_columns(panels: int) -> int:
    return MANY_PANEL_COLUMNS if panels > MANY_PANELS else min(PANEL_COLUMNS, max(2, panels))


def _styles(terms: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return a colour and a dash for each term."""
    # A dash as well, because constant weights often lie on one another.
    return {name: (PALETTE[k % len(PALETTE)], DASHES[k % len(DASHES)]) for k, name in enumerate(terms)}


def _handles(styles: Mapping[str, tuple[str, str]]) -> list[Any]:
    from matplotlib.lines import Line2D

    return [Line2D([], [], color=colour, ls=dash, label=name) for name, (colour, dash) in styles.items()]


def _patches(colours: Mapping[str, str]) -> list[Any]:
    from matplotlib.patches import Patch

    return [Patch(color=colour, label=name) for name, colour in colours.items()]


def _known(curves: Mapping[Any, Curve | None]) -> dict[Any, Curve]:
    return {key: one for key, one in curves.items() if one is not None}
