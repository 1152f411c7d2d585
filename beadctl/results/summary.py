"""What a run tells beside its planes: groups of fields, dilution series, manual counts, diameters."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from beadctl.console import Messages
from beadctl.counting.manual import Counted, manual_counts
from beadctl.counting.stacks import Unit
from beadctl.errors import SettingsError
from beadctl.images import Found
from beadctl.results.compared import (
    Compared,
    compared,
    not_compared,
    tell_agreement,
    write_agreement,
)
from beadctl.results.file_rows import file_rows
from beadctl.results.groups import Grouping, GroupRow, tell_groups, write_groups
from beadctl.results.ledger import Row
from beadctl.results.series import SampleSeries, series_of, tell_series, write_series
from beadctl.results.sizes import GroupSizes, PlaneSizes, SizeReport, tell_sizes, write_sizes
from beadctl.text import name_text


@dataclass(frozen=True)
class Statistics:
    """Which statistics of a run's counts are asked for.

    Attributes
    ----------
    grouping : Grouping or None
        Which images are a group of fields.
    manual : mapping of Counted to int
        Manual counts, by image and number of the plane, where one is named.
    sizes : SizeReport or None
        What is reported of diameters.
    unit : Unit
        What is one field of the groups, series and manual counts.
    """

    grouping: Grouping | None = None
    manual: Mapping[Counted, int] = field(default_factory=dict)
    sizes: SizeReport | None = None
    unit: Unit = Unit.PLANE

    @classmethod
    def of(
        cls,
        found: Sequence[Found],
        *,
        manual: Path | None = None,
        sizes: bool = False,
        nominal_um: float | None = None,
        tolerance: str | None = None,
        unit: Unit = Unit.PLANE,
        **groups: Any,
    ) -> "Statistics":
        """Read what is asked for.

        Parameters
        ----------
        found : sequence of Found
            The images.
        manual : Path, optional
            Table of manual counts; see `beadctl.counting.manual.manual_counts`.
        sizes, nominal_um, tolerance
            As for `SizeReport.of`.
        unit : Unit
            As the attribute.
        groups
            As for `Grouping.of`.

        Raises
        ------
        SettingsError
            If parts of it contradict each other, or do not fit the images.
        MissingExtraError
            If a package for dilution series is not installed.
        """
        names = [name_text(item.name) for item in found]
        counts = manual_counts(names, manual) if manual else {}
        if unit is Unit.FILE and any(plane for _, plane in counts):
            raise SettingsError(f"{manual}: counts planes, and --unit file files; give one count a file")
        return cls(
            Grouping.of(found, **groups),
            counts,
            SizeReport.of(sizes=sizes, nominal_um=nominal_um, tolerance=tolerance),
            unit,
        )

    def notes(self, found: Sequence[Found]) -> Iterator[tuple[bool, str]]:
        """Yield what is left out of the statistics, as (is a warning, a line)."""
        if self.grouping:
            yield from self.grouping.notes(found)


@dataclass(frozen=True)
class Summary:
    """Groups of fields, dilution series, planes with a manual count, counts without one, and diameters."""

    groups: tuple[GroupRow, ...] = ()
    series: tuple[SampleSeries, ...] = ()
    compared: tuple[Compared, ...] = ()
    not_compared: tuple[Counted, ...] = ()
    sizes: tuple[GroupSizes, ...] = ()

    @classmethod
    def of(cls, asked: Statistics, planes: Sequence[Row], sizes: Sequence[PlaneSizes]) -> "Summary":
        """Return what is asked for of a run's planes and of the diameters in them."""
        grouping = asked.grouping
        if asked.unit is Unit.FILE:
            planes = file_rows(planes)
        return cls(
            tuple(grouping.rows(planes)) if grouping else (),
            tuple(series_of(grouping, planes)) if grouping and grouping.series else (),
            tuple(compared(planes, asked.manual)),
            tuple(not_compared(planes, asked.manual)),
            tuple(asked.sizes.groups(sizes, grouping)) if asked.sizes else (),
        )

    def write(self, folder: Path | None) -> None:
        """Write tables and plots into a folder of results, if there is one."""
        if folder and self.groups:
            write_groups(folder, self.groups)
        if folder and self.series:
            from beadctl.results.series_plot import draw

            write_series(folder, self.series)
            draw(folder, self.series)
        if folder and self.compared:
            write_agreement(folder, self.compared)
        if folder and self.sizes:
            write_sizes(folder, self.sizes)

    def tell(self, messages: Messages) -> bool:
        """Print the tables for people; return whether a figure is missing, which is an error line."""
        lacking = tell_agreement(self.compared, self.not_compared, messages)
        lacking = tell_groups(self.groups, messages) or lacking
        lacking = tell_series(self.series, messages) or lacking
        return tell_sizes(self.sizes, messages) or lacking
