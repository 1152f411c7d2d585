"""HTML pages in one file: style and images are embedded, and there are no scripts."""

import base64
import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from beadctl.files import write_text


@dataclass(frozen=True)
class Picture:
    """Content of a PNG file, with a caption."""

    caption: str
    png: bytes


def write(path: Path, title: str, sections: Iterable[str]) -> None:
    """Write a page with a title and sections, HTML as the functions below return it; replace an earlier one.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    title = html.escape(title)
    head = f'<meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    view = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    start = f'<!DOCTYPE html>\n<html lang="en"><head>{head}{view}</head>\n<body><h1>{title}</h1>\n'
    write_text(path, start + "\n".join(sections) + "\n</body></html>\n")


def lead(text: str) -> str:
    """Return an emphasised paragraph for the top of a page."""
    return f'<p class="verdict">{html.escape(text)}</p>'


def section(heading: str, content: str, note: str = "") -> str:
    """Return a section with a heading and a note; an empty text if there is no content."""
    paragraph = f"<p>{html.escape(note)}</p>\n" if note else ""
    return content and f"<section><h2>{html.escape(heading)}</h2>\n{paragraph}{content}</section>"


def table(headings: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Return a table; an empty text if it has no rows."""
    if not body:
        return ""
    head, rows = _row(headings, "th"), "\n".join(_row(row, "td") for row in body)
    return f'<div class="wide"><table><thead>{head}</thead>\n<tbody>{rows}</tbody></table></div>'


def _row(cells: Iterable[str], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in cells)}</tr>"


def gallery(pictures: Iterable[Picture]) -> str:
    """Return pictures with their captions side by side; an empty text if there are none."""
    figures = column(pictures)
    return figures and f'<div class="overlays">{figures}</div>'


def column(pictures: Iterable[Picture]) -> str:
    """Return pictures with their captions below one another; an empty text if there are none."""
    return "\n".join(
        f"<figure>{image(picture)}<figcaption>{html.escape(picture.caption)}</figcaption></figure>"
        for picture in pictures
    )


def image(picture: Picture) -> str:
    """Return a picture with its caption as the alternative text."""
    caption, data = html.escape(picture.caption), base64.b64encode(picture.png).decode("ascii")
    return f'<img alt="{caption}" src="data:image/png;base64,{data}">'


# Of a dark page the browser chooses the second of two colours.
STYLE = """
:root{color-scheme:light dark;--ink:light-dark(#1b1b1b,#e4e6ea);--paper:light-dark(#fff,#15181d)}
:root{--muted:light-dark(#555b66,#a3abb8);--line:light-dark(#dcdfe4,#363c46);--rule:light-dark(#888,#6b7380)}
:root{--band:light-dark(#f6f7f9,#1c2027);--accent:light-dark(#0072b2,#56b4e9)}
:root{--lead:light-dark(#eef5fa,#1b2a36)}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
body{max-width:84rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin:0 0 1rem}
h2{font-size:1.15rem;margin:2.2rem 0 .4rem}
.verdict{font-size:1.1rem;border-left:4px solid var(--accent);background:var(--lead);padding:.7rem 1rem}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
td:not(:last-child){white-space:nowrap}
th{border-bottom:2px solid var(--rule);white-space:nowrap}
tbody tr:nth-child(even){background:var(--band)}
figure{margin:1rem 0}
img{max-width:100%;height:auto}
figcaption{font-size:.85rem;color:var(--muted)}
.overlays{display:grid;grid-template-columns:repeat(auto-fill,minmax(18rem,1fr));gap:1rem}
.overlays figure{margin:0}
.overlays img{width:100%}
@media print{:root{color-scheme:light}section{break-inside:avoid}}
"""
