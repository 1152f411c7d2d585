"""All files of a comparison at once: tables, pictures, and the page that holds them together."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from beadctl.results.html import Picture
from beadctl.study import page, plots, tables
from beadctl.study.outcome import Outcome

RUNS, SUMMARY, DIFFERENCES = "runs.csv", "summary.csv", "differences.csv"
JSON, MARKDOWN, PICTURE, PAGE = "comparison.json", "comparison.md", "report.png", "report.html"
TITLE = "Losses compared"


def write(
    folder: Path,
    outcomes: Sequence[Outcome],
    settings: Mapping[str, object],
    pictures: Sequence[Picture] = (),
    *,
    title: str = TITLE,
) -> None:
    """Write what a comparison leaves in its folder, over what an earlier one left.

    Parameters
    ----------
    folder : Path
        The comparison's, with the run folders below it.
    outcomes : sequence of Outcome
        All runs, failed ones too.
    settings : mapping
        What was the same for all runs, by name.
    pictures : sequence of Picture
        Images with what was found in them.
    title : str
        Heading of the report.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    tables.write_runs_csv(folder / RUNS, outcomes)
    tables.write_summary_csv(folder / SUMMARY, outcomes)
    tables.write_differences_csv(folder / DIFFERENCES, outcomes)
    tables.write_report_json(folder / JSON, outcomes, settings)
    tables.write_markdown(folder / MARKDOWN, outcomes, settings, title)
    figures = plots.pictures(outcomes, folder)
    plots.stack(figures, folder / PICTURE)
    shown = page.StudyReport(title, tuple(outcomes), settings, tuple(figures), tuple(pictures))
    page.write(folder / PAGE, shown)
