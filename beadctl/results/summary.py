"""What a run tells beside its planes: groups of fields, and dilution series."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from beadctl.console import Messages
from beadctl.results.groups import Grouping, GroupRow, tell_groups, write_groups
from beadctl.results.ledger import Row
from beadctl.results.series import SampleSeries, series_of, tell_series, write_series


@dataclass(frozen=True)
class Summary:
    """Groups of fields, and dilution series."""

    groups: tuple[GroupRow, ...] = ()
    series: tuple[SampleSeries, ...] = ()

    @classmethod
    def of(cls, grouping: Grouping | None, planes: Sequence[Row]) -> "Summary":
        """Return the groups of a run's planes, and the fits of their dilutions if asked for."""
        if grouping is None:
            return cls()
        series = series_of(grouping, planes) if grouping.series else ()
        return cls(tuple(grouping.rows(planes)), tuple(series))

    def write(self, folder: Path | None) -> None:
        """Write tables and plot into a folder of results, if there is one."""
        if folder and self.groups:
            write_groups(folder, self.groups)
        if folder and self.series:
            from beadctl.results.series_plot import draw

            write_series(folder, self.series)
            draw(folder, self.series)

    def tell(self, messages: Messages) -> bool:
        """Print the tables for people; return whether a figure is missing, which is an error line."""
        lacking = tell_groups(self.groups, messages)
        return tell_series(self.series, messages) or lacking
