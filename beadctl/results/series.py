"""The dilution series of a run: one row for each sample, and one for each of its dilutions."""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from beadctl.console import Messages, fail
from beadctl.counting.dilution import DilutedField, DilutionSeries, dilution_series
from beadctl.files import write_csv
from beadctl.results.groups import Grouping, area_of, mixed_pixel_sizes
from beadctl.results.ledger import Row
from beadctl.results.plane_row import known
from beadctl.results.statistics_table import in_words

SERIES_FILE, LEVELS_FILE = "dilution_series.csv", "dilution_levels.csv"


@dataclass(frozen=True)
class SampleSeries:
    """The dilutions of one sample: their fits, or why there are none."""

    sample: str
    fields: tuple[DilutedField, ...]
    found: DilutionSeries | None = None
    reason: str = ""


@dataclass(frozen=True)
class SeriesRow:
    """One sample; see `beadctl.counting.dilution.DilutionSeries`.

    Attributes
    ----------
    sample, levels, fields, beads : str and int
        Its name, and the number of dilutions, fields and beads.
    replicates, interval_by : int and str
        Number of replicates of all dilutions, 0 where none are stated; whether intervals are by the counts
        of fields or of replicates.
    slope, slope_low, slope_high, alpha, stock_count, stock_count_low, stock_count_high, r2, r2_log,
    proportionality_index, proportional_p
        As there.
    linear_from, linear_to, outside : float or None, and str
        Ends of the linear range, and the dilutions outside it.
    reason : str
        Why there is no fit.
    """

    sample: str
    levels: int
    fields: int
    replicates: int
    beads: int
    interval_by: str = ""
    slope: float | None = None
    slope_low: float | None = None
    slope_high: float | None = None
    alpha: float | None = None
    stock_count: float | None = None
    stock_count_low: float | None = None
    stock_count_high: float | None = None
    r2: float | None = None
    r2_log: float | None = None
    proportionality_index: float | None = None
    proportional_p: float | None = None
    linear_from: float | None = None
    linear_to: float | None = None
    outside: str = ""
    reason: str = ""


@dataclass(frozen=True)
class LevelRow:
    """One dilution of a sample; see `beadctl.counting.dilution.Level`."""

    sample: str
    dilution: float
    fields: int
    mean_count: float
    fitted_count: float
    residual: float
    linear: bool


SERIES_COLUMNS = tuple(field.name for field in dataclasses.fields(SeriesRow))
LEVEL_COLUMNS = tuple(field.name for field in dataclasses.fields(LevelRow))
SERIES_HEADS = {
    "sample": "sample",
    "fields": "fields",
    "replicates": "replicates",
    "interval_by": "interval by",
    "slope": "slope",
    "slope_low": "low",
    "slope_high": "high",
    "r2": "R2",
    "r2_log": "R2 log",
    "proportionality_index": "index",
    "proportional_p": "p proportional",
    "linear_from": "linear from",
    "linear_to": "to",
    "outside": "outside",
}
LEVEL_HEADS = {
    "sample": "sample",
    "dilution": "dilution",
    "fields": "fields",
    "mean_count": "mean",
    "fitted_count": "fitted",
    "residual": "residual",
    "linear": "linear",
}


def series_of(grouping: Grouping, planes: Sequence[Row]) -> list[SampleSeries]:
    """Fit the dilutions of each sample, in the order of their first images."""
    samples: dict[str, list[Row]] = {}
    for plane in planes:
        specimen = grouping.specimens.get(plane.image)
        if specimen and specimen.dilution is not None and plane.count is not None:
            samples.setdefault(specimen.sample, []).append(plane)
    return [_series(grouping, sample, rows) for sample, rows in samples.items()]


def _series(grouping: Grouping, sample: str, rows: Sequence[Row]) -> SampleSeries:
    if reason := mixed_pixel_sizes(rows):
        return SampleSeries(sample, (), reason=reason)
    fields = tuple(
        DilutedField(
            specimen.dilution or math.nan, row.count or 0, area_of(row), replicate=specimen.replicate
        )
        for row in rows
        for specimen in [grouping.specimens[row.image]]
    )
    try:
        return SampleSeries(sample, fields, dilution_series(fields))
    except ValueError as error:
        return SampleSeries(sample, fields, reason=f"no fit: {error}; it takes three, two of them with beads")


def series_row(series: SampleSeries) -> SeriesRow:
    """Return a sample's row of dilution_series.csv."""
    fields, found = series.fields, series.found
    row = SeriesRow(
        series.sample,
        len({field.dilution for field in fields}),
        len(fields),
        len({(field.dilution, field.replicate) for field in fields if field.replicate}),
        sum(field.count for field in fields),
    )
    if found is None:
        return dataclasses.replace(row, reason=series.reason)
    first, last = found.linear_range or (None, None)
    return dataclasses.replace(
        row,
        interval_by=str(found.source),
        slope=found.slope,
        slope_low=found.slope_interval.low,
        slope_high=found.slope_interval.high,
        alpha=found.alpha,
        stock_count=found.stock,
        stock_count_low=found.stock_interval.low,
        stock_count_high=found.stock_interval.high,
        r2=known(found.r2),
        r2_log=known(found.r2_log),
        proportionality_index=found.proportionality_index,
        proportional_p=known(found.proportional_p),
        linear_from=first,
        linear_to=last,
        outside=" ".join(f"{factor:g}x" for factor in found.outside),
    )


def level_rows(series: Sequence[SampleSeries]) -> Iterator[LevelRow]:
    """Yield the rows of dilution_levels.csv."""
    for one in series:
        for level in one.found.levels if one.found else ():
            mean = level.mean, level.fitted, level.residual
            yield LevelRow(one.sample, level.dilution, level.fields, *mean, level.linear)


def write_series(folder: Path, series: Sequence[SampleSeries]) -> None:
    """Write dilution_series.csv and dilution_levels.csv."""
    write_csv(folder / SERIES_FILE, SERIES_COLUMNS, map(vars, map(series_row, series)), rounded=True)
    write_csv(folder / LEVELS_FILE, LEVEL_COLUMNS, map(vars, level_rows(series)), rounded=True)


def tell_series(series: Sequence[SampleSeries], messages: Messages) -> bool:
    """Print the fits for people and a line for each sample without one; return whether there is one."""
    rows = [series_row(one) for one in series if one.found]
    stated = any(row.replicates for row in rows)
    series_heads = {name: head for name, head in SERIES_HEADS.items() if stated or name != "replicates"}
    for title, heads, table in (
        ("Dilution series", series_heads, rows),
        ("Dilutions", LEVEL_HEADS, list(level_rows(series))),
    ):
        used = [name for name in heads if any(getattr(row, name) != "" for row in table)]
        cells = [[in_words(name, getattr(row, name)) for name in used] for row in table]
        messages.table(title, [heads[name] for name in used], cells)
    for one in series:
        if one.reason:
            fail(f"{' '.join(filter(None, ('dilution series', one.sample)))}: {one.reason}")
    return any(one.reason for one in series)
