"""The files of a comparison: tables, pictures, and one HTML page with all of them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from beadctl.results import html
from beadctl.results.html import Picture
from beadctl.study import plots, tables
from beadctl.study.outcome import Outcome
from beadctl.study.verdict import verdict

PICTURE, PAGE = "report.png", "report.html"


def write(
    folder: Path,
    outcomes: Sequence[Outcome],
    settings: Mapping[str, object],
    overlays: Sequence[Picture] = (),
    *,
    title: str = "Losses compared",
) -> None:
    """Write the tables, the pictures and the page of a comparison, and replace earlier ones.

    Parameters
    ----------
    folder, outcomes, settings, title
        As for `beadctl.study.tables.write`; the folder holds those of the runs.
    overlays : sequence of Picture
        Tiles with their annotations and the beads that were found.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    tables.write(folder, outcomes, settings, title)
    figures = plots.pictures(outcomes, folder)
    plots.stack(figures, folder / PICTURE)
    html.write(folder / PAGE, title, _sections(outcomes, settings, figures, overlays))


def _sections(
    outcomes: Sequence[Outcome],
    settings: Mapping[str, object],
    figures: Sequence[Picture],
    overlays: Sequence[Picture],
) -> Iterable[str]:
    yield html.lead(verdict(outcomes))
    yield from map(_section, (tables.arms(outcomes), tables.pairs(outcomes), tables.failures(outcomes)))
    yield html.section("Figures", "\n".join(map(html.image, figures)))
    yield html.section("Best and worst tiles", html.gallery(overlays))
    yield from map(_section, (tables.runs(outcomes), tables.shared(settings)))


def _section(table: tables.TextTable) -> str:
    return html.section(table.heading, html.table(table.columns, table.rows), table.note)
