"""A comparison as one HTML page that needs nothing beside it: no script, no style sheet, no image file."""

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from beadctl.comparison import tables
from beadctl.comparison.outcome import Outcome, labels
from beadctl.comparison.statistics import differences, verdict, what_is_measured
from beadctl.files import write_text


@dataclass(frozen=True)
class Picture:
    """A PNG file's content with a caption."""

    caption: str
    png: bytes


@dataclass(frozen=True)
class Report:
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


def write(path: Path, report: Report) -> None:
    """Write the page, whole or not at all.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    title = html.escape(report.title)
    head = f'<meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    view = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    body = "\n".join(_sections(report))
    write_text(
        path,
        f'<!DOCTYPE html>\n<html lang="en"><head>{head}{view}</head>\n'
        f"<body><h1>{title}</h1>\n{body}\n</body></html>\n",
    )


def _sections(report: Report) -> Iterable[str]:
    outcomes = report.outcomes
    names, split = labels([run.arm for run in outcomes]), what_is_measured(outcomes)
    yield f'<p class="verdict">{html.escape(verdict(outcomes))}</p>'
    measured = f"Measured on the {split} tiles. " if split else ""
    yield _section(
        "Arms", _table(tables.SUMMARY_HEADINGS, tables.rows(outcomes)), measured + tables.EXPLAINED
    )
    pairs = tables.difference_rows(differences(outcomes))
    yield _section("Pairs of losses", _table(tables.DIFFERENCE_HEADINGS, pairs), tables.PAIRS_EXPLAINED)
    failed = [(names[run.arm], str(run.seed), run.reason) for run in outcomes if not run.finished]
    yield _section("Failed runs", _table(("arm", "seed", "why"), failed))
    yield _section("Figures", "\n".join(map(_image, report.figures)))
    overlays = "\n".join(map(_figure, report.overlays))
    yield _section("What the networks find", overlays and f'<div class="overlays">{overlays}</div>')
    yield _section("All finished runs", _table(tables.RUN_HEADINGS, tables.run_rows(outcomes)))
    yield _section("The same for all", _table(("setting", "value"), tables.setting_rows(report.settings)))


def _section(heading: str, content: str, note: str = "") -> str:
    if not content:
        return ""
    words = f"<p>{html.escape(note)}</p>\n" if note else ""
    return f"<section><h2>{html.escape(heading)}</h2>\n{words}{content}</section>"


def _table(headings: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    if not body:
        return ""
    rows = "\n".join(_row(row, "td") for row in body)
    return (
        f'<div class="wide"><table><thead>{_row(headings, "th")}</thead>\n<tbody>{rows}</tbody></table></div>'
    )


def _row(cells: Iterable[str], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in cells)}</tr>"


def _figure(picture: Picture) -> str:
    caption = html.escape(picture.caption)
    return f"<figure>{_image(picture)}<figcaption>{caption}</figcaption></figure>"


def _image(picture: Picture) -> str:
    caption, data = html.escape(picture.caption), base64.b64encode(picture.png).decode("ascii")
    return f'<img alt="{caption}" src="data:image/png;base64,{data}">'


STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#1b1b1b;background:#fff}
body{max-width:84rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin:0 0 1rem}
h2{font-size:1.15rem;margin:2.2rem 0 .4rem}
.verdict{font-size:1.1rem;border-left:4px solid #0072b2;background:#eef5fa;padding:.7rem 1rem}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .6rem;border-bottom:1px solid #ddd;text-align:left;vertical-align:top}
td:not(:last-child){white-space:nowrap}
th{border-bottom:2px solid #888;white-space:nowrap}
tbody tr:nth-child(even){background:#f7f7f7}
figure{margin:1rem 0}
img{max-width:100%;height:auto}
figcaption{font-size:.85rem;color:#555}
.overlays{display:grid;grid-template-columns:repeat(auto-fill,minmax(18rem,1fr));gap:1rem}
.overlays figure{margin:0}
.overlays img{width:100%}
@media print{section{break-inside:avoid}}
"""
