"""What a run tells beside its planes: groups of fields, dilution series, agreement with manual counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from beadctl.console import Messages
from beadctl.results.compared import Compared, compared, tell_agreement, write_agreement
from beadctl.results.groups import Grouping, GroupRow, tell_groups, write_groups
from beadctl.results.ledger import Row
from beadctl.results.series import SampleSeries, series_of, tell_series, write_series


@dataclass(frozen=True)
class Summary:
    """Groups of fields, dilution series, and planes with a manual count."""

    groups: tuple[GroupRow, ...] = ()
    series: tuple[SampleSeries, ...] = ()
    compared: tuple[Compared, ...] = ()

    @classmethod
    def of(
        cls, grouping: Grouping | None, manual: Mapping[tuple[str, int], int], planes: Sequence[Row]
    ) -> "Summary":
        """Return the groups of a run's planes, the fits of their dilutions, and those with a manual count."""
        return cls(
            tuple(grouping.rows(planes)) if grouping else (),
            tuple(series_of(grouping, planes)) if grouping and grouping.series else (),
            tuple(compared(planes, manual)),
        )

    def write(self, folder: Path | None) -> None:
        """Write tables and plot into a folder of results, if there is one."""
        if folder and self.groups:
            write_groups(folder, self.groups)
        if folder and self.series:
            from beadctl.results.series_plot import draw

            write_series(folder, self.series)
            draw(folder, self.series)
        if folder and self.compared:
            write_agreement(folder, self.compared)

    def tell(self, messages: Messages) -> bool:
        """Print the tables for people; return whether a figure is missing, which is an error line."""
        tell_agreement(self.compared, messages)
        lacking = tell_groups(self.groups, messages)
        return tell_series(self.series, messages) or lacking
