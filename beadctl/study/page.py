"""A comparison as one HTML page that needs nothing beside it: no script, no style sheet, no image file."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from beadctl.results import html
from beadctl.results.html import Picture, section, table
from beadctl.study import tables
from beadctl.study.outcome import Outcome, labels
from beadctl.study.statistics import differences, verdict, what_is_measured


@dataclass(frozen=True)
class StudyReport:
    """What a page shows.

    Attributes
    ----------
    title : str
        Its heading.
    outcomes : tuple of Outcome
        All runs.
    settings : mapping
        What was the same for all runs, by name.
    figures : tuple of Picture
        The comparison as pictures, shown in full width; their captions are drawn in them.
    overlays : tuple of Picture
        Images with what was found in them, shown side by side.
    """

    title: str
    outcomes: tuple[Outcome, ...]
    settings: Mapping[str, object]
    figures: tuple[Picture, ...] = ()
    overlays: tuple[Picture, ...] = ()


def write(path: Path, report: StudyReport) -> None:
    """Write the page, whole or not at all.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    html.write(path, report.title, _sections(report))


def _sections(report: StudyReport) -> Iterable[str]:
    outcomes = report.outcomes
    names, split = labels([run.arm for run in outcomes]), what_is_measured(outcomes)
    yield html.lead(verdict(outcomes))
    measured = f"Measured on the {split} tiles. " if split else ""
    yield section("Arms", table(tables.SUMMARY_HEADINGS, tables.rows(outcomes)), measured + tables.EXPLAINED)
    pairs = tables.difference_rows(differences(outcomes))
    yield section("Pairs of losses", table(tables.DIFFERENCE_HEADINGS, pairs), tables.PAIRS_EXPLAINED)
    failed = [(names[run.arm], str(run.seed), run.reason) for run in outcomes if not run.finished]
    yield section("Failed runs", table(("arm", "seed", "why"), failed))
    yield section("Figures", "\n".join(map(html.image, report.figures)))
    yield section("What the networks find", html.gallery(report.overlays))
    yield section("All finished runs", table(tables.RUN_HEADINGS, tables.run_rows(outcomes)))
    yield section("The same for all", table(("setting", "value"), tables.setting_rows(report.settings)))
