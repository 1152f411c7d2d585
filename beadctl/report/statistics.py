"""Tables and plots of the statistics that a run wrote beside its counts."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from beadctl.counting.specimen import Specimen
from beadctl.report.finished import Finished, as_written
from beadctl.results import compared, compared_plot, groups, series, series_plot, sizes, sizes_plot
from beadctl.results.statistics_table import in_words

# Groups that are drawn; the table has all.
MOST_GROUPS = 60
# Columns of text, which may look like a number.
WORDS = ("sample", "outliers", "outside", "reason", "band", "unit", "modes")


@dataclass(frozen=True)
class Part:
    """One kind of statistics.

    Attributes
    ----------
    title, note : str
        Heading and remark.
    heads, rows : sequence
        The table; columns without a value are left out.
    plot : str
        A plot that the run drew, SVG in Base64; empty without one.
    intervals : tuple of mapping
        Mean and its interval of each group, to be drawn.
    """

    title: str
    note: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    plot: str = ""
    intervals: tuple[Mapping[str, Any], ...] = ()


def parts(finished: Finished) -> Iterator[Part]:
    """Yield the statistics that the run has; an `OutputError` if a table is not as beadctl wrote it."""
    found = finished.table(groups.FILE)
    if found:
        heads, rows = _table(found, groups.HEADS)
        note = "Mean count of the fields of each group, and its 95 % interval."
        with as_written(finished.folder / groups.FILE):
            drawn = tuple(_interval(row) for row in found[:MOST_GROUPS] if row["mean_count"])
        yield Part("Groups", note, heads, rows, intervals=drawn)
    for title, note, name, columns, stem in (
        ("Dilution series", "", series.SERIES_FILE, series.SERIES_HEADS, series_plot.STEM),
        ("Dilutions", "", series.LEVELS_FILE, series.LEVEL_HEADS, ""),
        ("Agreement with manual counts", "", compared.FILE, compared.HEADS, compared_plot.STEM),
        ("Diameters", "", sizes.FILE, sizes.HEADS, sizes_plot.STEM),
    ):
        if found := finished.table(name):
            yield Part(title, note, *_table(found, columns), plot=_plot(finished, stem))


def _table(rows: Sequence[Mapping[str, str]], heads: Mapping[str, str]) -> tuple[list[str], list[list[str]]]:
    used = [name for name in heads if any(row.get(name) for row in rows)]
    return [heads[name] for name in used], [[_short(name, row[name]) for name in used] for row in rows]


def _short(column: str, text: str) -> str:
    """Return a figure with four digits, and any other text as it is."""
    if column in WORDS or not text:
        return text
    try:
        return in_words(column, float(text))
    except ValueError:
        return text


def _interval(row: Mapping[str, str]) -> dict[str, Any]:
    low, high = (row.get(f"combined_{end}") or row[f"mean_count_{end}"] for end in ("low", "high"))
    dilution = float(row["dilution"]) if row["dilution"] else None
    ends = {"low": float(low), "high": float(high)} if low and high else {}
    return {"group": Specimen(row["sample"], dilution).group, "mean": float(row["mean_count"]), **ends}


def _plot(finished: Finished, stem: str) -> str:
    name = f"{stem}.svg"
    if not stem or name not in finished.record.get("files", {}) or not (finished.folder / name).is_file():
        return ""
    return base64.b64encode((finished.folder / name).read_bytes()).decode("ascii")
