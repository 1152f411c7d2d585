"""The groups of a run: one row of statistics for the fields of each sample and dilution."""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beadctl.console import Messages, fail
from beadctl.counting.concentration import concentration
from beadctl.counting.detection import ROOT_OFFSET, with_error
from beadctl.counting.dilution import require_packages
from beadctl.counting.groups import Field, GroupStatistics, Source, group_statistics
from beadctl.counting.interval import Interval, jeffreys_interval
from beadctl.counting.measured import Measured
from beadctl.counting.specimen import (
    Specimen,
    by_expression,
    by_sheet,
    require_all_diluted,
    require_all_replicated,
    require_factor,
    require_levels,
)
from beadctl.errors import SettingsError
from beadctl.files import write_csv
from beadctl.images import Found
from beadctl.results.file_rows import pooled_errors
from beadctl.results.ledger import Row
from beadctl.results.plane_row import UM2_PER_MM2
from beadctl.results.statistics_table import tell_rows
from beadctl.text import name_text, no_formula
from beadctl.words import first_names

FILE = "groups.csv"
# Relative difference between pixel sizes that are one size written with fewer digits.
SAME_PIXEL_SIZE = 1e-3


@dataclass(frozen=True)
class GroupRow:
    """One group of fields.

    Attributes
    ----------
    sample, dilution : str and float or None
        What its images show.
    fields, replicates, failed, beads : int
        Planes with a count, replicates (0 where none are stated), planes without a count, sum of the counts.
    mean_count, sd_count, cv, se_count, mean_count_low, mean_count_high, interval_by
        Of the counts of fields, or of the means of replicates; see
        `beadctl.counting.groups.GroupStatistics`.
    dispersion, dispersion_p, outliers
        As there; names of outliers are separated by ``; ``.
    combined_low, combined_high : float or None
        95 % interval of the mean by the scatter of the counts and by the model's errors, where these are
        known; see `beadctl.counting.detection.with_error`.
    field_area_um2 : float or None
        Mean area of the fields.
    density_per_mm2, density_per_mm2_low, density_per_mm2_high : float or None
        Mean count over that area, and its interval: the combined one, or else that of the mean.
    beads_per_ml, beads_per_ml_low, beads_per_ml_high : float or None
        Concentration of the stock, where the depth of the chamber is known, and its interval likewise.
    reason : str
        Why figures are missing.
    flagged : int
        Planes, or files, whose count has a quality flag.
    """

    sample: str
    dilution: float | None
    fields: int
    replicates: int
    failed: int
    beads: int
    mean_count: float | None = None
    sd_count: float | None = None
    cv: float | None = None
    se_count: float | None = None
    mean_count_low: float | None = None
    mean_count_high: float | None = None
    interval_by: str = ""
    dispersion: float | None = None
    dispersion_p: float | None = None
    outliers: str = ""
    combined_low: float | None = None
    combined_high: float | None = None
    field_area_um2: float | None = None
    density_per_mm2: float | None = None
    density_per_mm2_low: float | None = None
    density_per_mm2_high: float | None = None
    beads_per_ml: float | None = None
    beads_per_ml_low: float | None = None
    beads_per_ml_high: float | None = None
    reason: str = ""
    flagged: int = 0


COLUMNS = tuple(field.name for field in dataclasses.fields(GroupRow))
# Column -> its head in a table for people; columns without a value are left out.
HEADS = {
    "sample": "sample",
    "dilution": "dilution",
    "fields": "fields",
    "flagged": "flagged",
    "mean_count": "mean",
    "mean_count_low": "low",
    "mean_count_high": "high",
    "combined_low": "low with errors",
    "combined_high": "high with errors",
    "cv": "CV",
    "dispersion_p": "p Poisson",
    "density_per_mm2": "per mm2",
    "beads_per_ml": "per mL",
    "beads_per_ml_low": "low per mL",
    "beads_per_ml_high": "high per mL",
    "outliers": "outliers",
    "reason": "reason",
}


@dataclass(frozen=True)
class Grouping:
    """Which images are a group, and how counts become concentrations.

    Attributes
    ----------
    specimens : mapping of str to Specimen
        What each image shows, by its name in counts.csv; images that are missing belong to no group.
    depth_um, dilution : Measured or None
        Depth of the chamber; dilution of all images that state none themselves.
    series : bool
        Whether the dilutions of each sample are fitted as a series.
    """

    specimens: Mapping[str, Specimen]
    depth_um: Measured | None = None
    dilution: Measured | None = None
    series: bool = False

    @classmethod
    def of(
        cls,
        found: Sequence[Found],
        group_by: str | None = None,
        sample_sheet: Path | None = None,
        depth_um: str | None = None,
        dilution: str | None = None,
        *,
        dilution_series: bool = False,
    ) -> "Grouping | None":
        """Return the groups of the images of a run; None where neither groups nor a depth are given.

        Parameters
        ----------
        found : sequence of Found
            The images.
        group_by, sample_sheet : str and Path, or None
            See `beadctl.counting.specimen`; without both all images are one group.
        depth_um, dilution : str or None
            As `beadctl.counting.measured.Measured` reads them.
        dilution_series : bool
            Whether the dilutions of each sample are fitted as a series.

        Raises
        ------
        SettingsError
            If these contradict each other, or do not fit the images.
        MissingExtraError
            If a package for dilution series is not installed.
        """
        if dilution and not depth_um:
            raise SettingsError(f"--dilution {dilution}: beads per mL need the depth too; give --depth-um")
        if group_by and sample_sheet:
            raise SettingsError("--group-by and --sample-sheet: both name the groups; give one of them")
        names = [name_text(item.name) for item in found]
        if group_by:
            # A part of a name may begin as no name does.
            specimens = {
                name: dataclasses.replace(one, sample=no_formula(one.sample))
                for name, one in by_expression(names, group_by).items()
            }
        elif sample_sheet:
            specimens = by_sheet(names, sample_sheet)
        elif depth_um or dilution_series:
            specimens = dict.fromkeys(names, Specimen("all"))
        else:
            return None
        source = "--sample-sheet" if sample_sheet else "--group-by"
        if dilution and any(one.dilution is not None for one in specimens.values()):
            raise SettingsError(f"--dilution {dilution}: {source} gives dilutions too; leave out one of them")
        if depth_um or dilution_series:
            require_all_diluted(specimens, source)
        require_all_replicated(specimens, source, in_series=dilution_series)
        if dilution_series:
            require_packages()
            require_levels(specimens.values())
        depth, factor = (Measured.parse(text) if text else None for text in (depth_um, dilution))
        if factor and dilution:
            require_factor(factor.value, dilution, "--dilution")
        return cls(specimens, depth, factor, dilution_series)

    def notes(self, found: Sequence[Found]) -> Iterator[tuple[bool, str]]:
        """Yield which images belong to no group, as (is a warning, a line)."""
        names = [name_text(item.name) for item in found]
        if alone := [name for name in names if name not in self.specimens]:
            yield True, f"images that belong to no group: {len(alone)} ({first_names(alone)})"

    def rows(self, planes: Sequence[Row]) -> list[GroupRow]:
        """Return the groups in the order of their first images; every plane is a field."""
        groups: dict[tuple[str, float | None], list[Row]] = {}
        for plane in planes:
            if specimen := self.specimens.get(plane.image):
                groups.setdefault((specimen.sample, specimen.dilution), []).append(plane)
        return [self._row(*key, rows) for key, rows in groups.items()]

    def _row(self, sample: str, dilution: float | None, rows: Sequence[Row]) -> GroupRow:
        counted = [row for row in rows if row.count is not None]
        replicates = {self.specimens[row.image].replicate for row in counted} - {""}
        group = GroupRow(
            sample,
            self.dilution.value if dilution is None and self.dilution else dilution,
            len(counted),
            len(replicates),
            len(rows) - len(counted),
            sum(row.count or 0 for row in counted),
            flagged=sum(bool(row.quality) for row in counted),
        )
        if not counted:
            return dataclasses.replace(group, reason="none of its images has a count")
        if reason := mixed_pixel_sizes(counted):
            return dataclasses.replace(group, reason=reason)
        in_um = counted[0].field_area_um2 is not None
        fields = [
            Field(
                f"{row.image} {row.position}".strip(),
                row.count or 0,
                area_of(row),
                self.specimens[row.image].replicate,
            )
            for row in counted
        ]
        statistics = group_statistics(fields)
        combined = _combined(statistics, counted)
        interval = combined or statistics.interval
        group = dataclasses.replace(group, **_of_counts(statistics, combined))
        if in_um:
            group = dataclasses.replace(group, **_of_area(statistics, interval))
        if not self.depth_um:
            return group
        if not in_um:
            reason = "the pixel size is unknown, which beads per mL need; give --pixel-size"
            return dataclasses.replace(group, reason=reason)
        factor = Measured(dilution) if dilution else self.dilution or Measured(1.0)
        stock = concentration(statistics.mean, interval, statistics.mean_area, self.depth_um, factor)
        return dataclasses.replace(
            group,
            beads_per_ml=stock.beads_per_ml,
            beads_per_ml_low=stock.interval.low,
            beads_per_ml_high=stock.interval.high,
        )


def mixed_pixel_sizes(rows: Sequence[Row]) -> str:
    """Return why planes cannot be compared: their pixel sizes, if they differ; else an empty text."""
    sizes = sorted({row.pixel_size_um or 0.0 for row in rows})
    if sizes[-1] <= sizes[0] * (1 + SAME_PIXEL_SIZE):
        return ""
    texts = [f"{size:g} um" if size else "unknown" for size in sizes]
    return f"its images differ in pixel size ({', '.join(texts)}); group them apart"


def area_of(row: Row) -> float:
    """Return the area of a plane's field, um2, or px where the pixel size is unknown."""
    return row.field_area_um2 or row.field_area_px or math.nan


def _combined(statistics: GroupStatistics, rows: Sequence[Row]) -> Interval | None:
    """Return the interval of a group's mean with the model's errors, or None where these are unknown.

    For the errors see `beadctl.counting.detection.pooled_interval`.
    """
    error, beads = pooled_errors(rows), statistics.beads
    if error is None:
        return None
    each = statistics.mean / beads if beads else 1 / statistics.fields
    sampling = statistics.interval
    if statistics.source is Source.POISSON:
        alone = jeffreys_interval(beads)
        sampling = Interval(alone.low * each, alone.high * each)
    ends = Interval(error.low * each, error.high * each)
    return with_error(statistics.mean, sampling, ends, ROOT_OFFSET * each)


def _of_counts(statistics: GroupStatistics, combined: Interval | None) -> dict[str, Any]:
    columns = {
        "mean_count": statistics.mean,
        "sd_count": statistics.sd,
        "cv": statistics.cv,
        "se_count": statistics.standard_error,
        "mean_count_low": statistics.interval.low,
        "mean_count_high": statistics.interval.high,
        "dispersion": statistics.dispersion,
        "dispersion_p": statistics.dispersion_p,
    }
    if combined:
        columns |= {"combined_low": combined.low, "combined_high": combined.high}
    known = {name: value for name, value in columns.items() if not math.isnan(value)}
    words = {"interval_by": str(statistics.source), "outliers": "; ".join(statistics.outliers)}
    return {**known, **words, "replicates": statistics.replicates}


def _of_area(statistics: GroupStatistics, interval: Interval) -> dict[str, Any]:
    per_mm2 = UM2_PER_MM2 / statistics.mean_area
    return {
        "field_area_um2": statistics.mean_area,
        "density_per_mm2": statistics.mean * per_mm2,
        "density_per_mm2_low": interval.low * per_mm2,
        "density_per_mm2_high": interval.high * per_mm2,
    }


def write_groups(folder: Path, rows: Sequence[GroupRow]) -> None:
    """Write groups.csv."""
    write_csv(folder / FILE, COLUMNS, map(vars, rows), rounded=True)


def tell_groups(rows: Sequence[GroupRow], messages: Messages) -> bool:
    """Print the groups for people and a line for each that lacks figures; return whether there is one."""
    flagged = any(row.flagged for row in rows)
    heads = {name: head for name, head in HEADS.items() if flagged or name != "flagged"}
    tell_rows("Groups", heads, rows, messages)
    for row in rows:
        if row.reason:
            fail(f"group {Specimen(row.sample, row.dilution).group}: {row.reason}")
    return any(row.reason for row in rows)
