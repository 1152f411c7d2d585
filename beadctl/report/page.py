"""The page itself: written as it is made, a row and a plane at a time, to a file that then gets its name."""

import base64
import hashlib
import heapq
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from beadctl.console import Messages
from beadctl.errors import ModelError, OutputError
from beadctl.files import atomic, sha256
from beadctl.model.description import describe_model
from beadctl.report import planes, require_packages, statistics
from beadctl.report.finished import Finished
from beadctl.report.images_table import columns_of, row_of
from beadctl.report.kept import Kept
from beadctl.report.overview import FAILED, ORDER, Overview, distributions, state_of
from beadctl.report.shares import Shares
from beadctl.results.html import STYLE
from beadctl.results.outdated import REPORT, REPORT_MARK, is_report
from beadctl.results.stored import Stored
from beadctl.segmentation.bead_table import FLAGS
from beadctl.words import number_of

# Rows of the table; more are slow to sort.
MOST_ROWS = 5000
BUFFERED = 64
# What is said of a run by its outcome.
LACKING = {"finished": "", "running": "The run had not ended when this page was written."}
STOPPED = "The run did not reach its end."


@dataclass(frozen=True)
class Written:
    """What a page shows.

    Attributes
    ----------
    path : Path
        The page.
    counted, shown, lost, in_stores : int
        Planes with a count, those that can be looked at, and of these those without a picture: as files have
        changed, and as their images are objects in stores.
    """

    path: Path
    counted: int
    shown: int
    lost: int
    in_stores: int

    def notes(self) -> Iterator[tuple[bool, str]]:
        """Yield what it shows and what it does not, as (is a warning, a line)."""
        size = self.path.stat().st_size / 1e6
        yield False, f"{self.path}: {size:.1f} MB, {number_of(self.shown, 'plane')} to look at"
        if self.shown < self.counted:
            left = self.counted - self.shown
            yield False, f"{self.path}: planes with figures and no picture: {left}, as a page holds no more"
        if self.lost:
            why = "image files or results are not as the run left them"
            yield True, f"{self.path}: planes without picture or beads: {self.lost}; {why}"
        if self.in_stores:
            why = "their images are objects in stores, which are not read again"
            yield False, f"{self.path}: planes without picture: {self.in_stores}; {why}"


def write(
    folder: Path, messages: Messages, kept: Kept | None = None, stored: Stored | None = None
) -> Written:
    """Write ``report.html`` into a folder of results, and replace an earlier one.

    Parameters
    ----------
    folder : Path
        Folder of results of a run that has ended.
    messages : Messages
        Shows the progress.
    kept : Kept, optional
        Planes of an earlier page of this run, which are not drawn again; it gets those of this one.
    stored : Stored, optional
        The store in which the label images are.

    Raises
    ------
    OutputError
        If it holds no results, its tables cannot be read, or the page cannot be written or would replace a
        file that is no report.
    MissingExtraError
        If jinja2 is not installed.
    """
    require_packages()
    path = folder / REPORT
    _require_ours(path)
    finished = Finished.of(folder, stored)
    overview = Overview.of(finished.rows())
    rows = heapq.nsmallest(
        MOST_ROWS, enumerate(finished.rows()), key=lambda item: (ORDER.index(state_of(item[1])), item[0])
    )
    counted = ((key, row) for key, row in rows if row.count is not None)
    shares = Shares.of(counted)
    lost = in_stores = 0

    def blocks() -> Iterator[tuple[int, Mapping[str, Any]]]:
        nonlocal lost, in_stores
        with messages.progress(len(shares.planes), "drawing") as advance:
            for key, content in planes.shown(finished, shares, advance, kept or Kept()):
                is_in_store = content.get("note") == planes.IN_STORE
                in_stores += is_in_store
                lost += "note" in content and not is_in_store
                yield key, content

    context = {
        **_of_run(finished, overview),
        "columns": (columns := columns_of(overview, [row for _, row in rows])),
        "rows": (
            row_of(finished, overview, columns, key, row, pictured=key in shares.planes) for key, row in rows
        ),
        "listed": len(rows),
        "planes": blocks(),
    }
    with (
        atomic(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file,
    ):
        stream = _template().stream(context)
        stream.enable_buffering(BUFFERED)
        file.writelines(stream)
    with_count = overview.planes - overview.states[FAILED]
    return Written(path, with_count, len(shares.planes), lost, in_stores)


def _require_ours(path: Path) -> None:
    if path.exists() and not is_report(path):
        raise OutputError(f"{path}: is not a report of beadctl; move it away")


def _template() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("beadctl.report", "template")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("report.html")


def _own(name: str) -> str:
    """Return a file that belongs to the package."""
    return files("beadctl.report").joinpath(name).read_text(encoding="utf-8")


def _of_run(finished: Finished, overview: Overview) -> dict[str, Any]:
    """Return what the page says of the run as a whole."""
    record = finished.record
    scripts = [_own(name) for name in ("vendor/d3.min.js", "vendor/plot.min.js", "template/report.js")]
    settings, card = finished.folder / "settings.toml", _model(record)
    return {
        "mark": REPORT_MARK,
        "title": f"Beads in {finished.folder.resolve().name}",
        "style": STYLE + _own("template/report.css"),
        "scripts": scripts,
        "hashes": " ".join(f"'sha256-{_hash(script)}'" for script in scripts),
        "licences": _own("vendor/LICENSES.txt"),
        "overview": overview,
        "lacking": LACKING.get(str(record.get("outcome")), STOPPED),
        "facts": _facts(finished),
        "flags": sorted(overview.flags),
        "bead_flags": FLAGS,
        "charts": [
            {"title": one.title, "axis": one.axis, "what": one.what, "remark": one.remark, "bars": bars}
            for one in distributions(overview, finished.rows(), finished.beads())
            if (bars := [asdict(bar) for bar in one.bars()])
        ],
        "statistics": list(statistics.parts(finished)),
        "failures": [row for row in finished.rows() if state_of(row) == FAILED][:MOST_ROWS],
        "model": [fact for fact in card if not fact[0].startswith("training.")],
        "training": [fact for fact in card if fact[0].startswith("training.")],
        "settings": settings.read_text(encoding="utf-8", errors="replace") if settings.is_file() else "",
    }


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")


def _facts(finished: Finished) -> list[tuple[str, str]]:
    """Return name and value of what is recorded of the run."""
    record = finished.record
    versions = record.get("onnxruntime") or {}
    found = {
        "inputs": ", ".join(map(str, record.get("inputs", ()))),
        "start": record.get("start"),
        "end": record.get("end"),
        "outcome": record.get("outcome"),
        "beadctl": record.get("beadctl"),
        "python": record.get("python"),
        **(versions if isinstance(versions, dict) else {"onnxruntime": versions}),
        "device": record.get("device_used"),
        "processes": record.get("processes"),
        "CPU threads" + " of each" * ("processes" in record): record.get("threads"),
    }
    return [(name, str(value)) for name, value in found.items() if value]


def _model(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return name and value of the facts of the model file, or why they are unknown; nothing without one."""
    if "model" not in record:
        return []
    path = Path(record["model"])
    try:
        if sha256(path) != record.get("model_sha256"):
            return [("model", f"{path} changed since the run")]
        return [("file", path.name), *describe_model(path)]
    except (OSError, ValueError, ModelError):
        return [("model", f"{path} is no longer there"), ("sha256", record.get("model_sha256", ""))]
