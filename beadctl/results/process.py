"""A whole run over images: checks first, then images in order, tables and record in any case."""

import contextlib
import dataclasses
import platform
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from beadctl import __version__, console
from beadctl.files import remove_stale, require_free, sha256, toml_text, write_json, write_text
from beadctl.images import Found
from beadctl.model.session import Model, installed_builds
from beadctl.results import ledger, run
from beadctl.results.ledger import ImageResult, Row
from beadctl.results.outputs import Outputs, check_outputs
from beadctl.results.tables import flagged, write_tables
from beadctl.segmentation.options import SegmentOptions

# What a run writes at the top of its folder.
HASHED_FILES = ("counts.csv", "beads.csv", "settings.toml")
RUN_FILES = (*HASHED_FILES, "run.json")


def process(
    inputs: Sequence[Path],
    found: Sequence[Found],
    model: Model,
    options: SegmentOptions,
    outputs: Outputs,
    *,
    settings: Mapping[str, Mapping[str, Any]],
    messages: console.Messages,
    on_row: Callable[[Row], None] = lambda _: None,
) -> list[ImageResult]:
    """Segment images, write their results and a record of the run, and return the results without beads.

    Parameters
    ----------
    inputs, found : sequence of Path and of Found
        Files and folders as the user gave them, for the record, and the images in them.
    model, options : Model and SegmentOptions
        The opened model, and how planes become beads.
    outputs : Outputs
        What is written, and where.
    settings : mapping
        The effective settings by section, as plain values, for the record.
    messages, on_row : Messages and callable
        Prints failures and progress; called with each plane's row as it is done.

    Raises
    ------
    OutputError
        If a result would replace another, or cannot be written.
    """
    folder = outputs.folder
    check_outputs(found, model, options, outputs)
    if folder and not (folder / ledger.FOLDER).exists():
        require_free(folder, RUN_FILES, outputs.overwrite)
    facts = {"inputs": [str(path) for path in inputs]} | _facts(found, model, options, settings)
    with _recorded(folder, facts):
        if folder:
            remove_stale(folder)
            # Written first: it marks the folder as one of ours, whose tables a rerun may replace.
            write_text(folder / ledger.FOLDER / "version", __version__ + "\n")
            # A rerun with these settings must not overwrite unless it is asked to again.
            saved = {**settings, "output": {**settings["output"], "overwrite": False}}
            write_text(folder / "settings.toml", toml_text(saved))
        results: list[ImageResult] = []
        try:
            # Closing the run waits for the image that is being written: it counts as finished.
            with (
                messages.progress(len(found), "segmenting") as advance,
                contextlib.closing(run.run(found, model, options, outputs)) as images,
            ):
                for result in images:
                    results.append(dataclasses.replace(result, beads=()))
                    for row in result.rows:
                        on_row(row)
                        if row.status == "failed":
                            console.fail(f"{row.image}: {row.reason}")
                        elif row.quality:
                            messages.warn(flagged(row))
                    advance(failed=result.failed)
        finally:
            if folder is not None:
                with _signals_blocked():
                    others, gone = write_tables(
                        folder, found, results, options.fingerprint(model), outputs.overwrite
                    )
                if others:
                    messages.info(f"{folder}/counts.csv: images of earlier runs kept: {len(others)}")
                if gone:
                    left = f"{len(gone)}, such as {gone[0]}"
                    messages.warn(f"{folder}/counts.csv: images that are no longer there left out: {left}")
    done = [row for result in results for row in result.rows if row.count is not None]
    if doubted := sum(bool(row.quality) for row in done):
        messages.warn(f"{doubted} of {len(done)} counts have a quality flag; look at the overlays before use")
    if options.filters.names and done:
        messages.info(
            options.filters.note(sum(row.filtered or 0 for row in done), sum(row.count or 0 for row in done))
        )
    return results


def _facts(
    found: Sequence[Found], model: Model, options: SegmentOptions, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what ``run.json`` says of a run before it starts."""
    return {
        "beadctl": __version__,
        "python": platform.python_version(),
        "onnxruntime": installed_builds(),
        "host": platform.node(),
        "images": len(found),
        "model": str(model.path.absolute()),
        "model_sha256": model.sha256,
        "device_asked": settings["inference"]["device"],
        "device_used": model.device,
        "threads": model.threads,
        "options": dataclasses.asdict(options),
        "settings": settings,
    }


@contextlib.contextmanager
def _recorded(folder: Path | None, facts: Mapping[str, Any]) -> Iterator[None]:
    """Write ``run.json`` at the start of a run, and again at its end."""

    def write(end: str | None, outcome: str) -> None:
        if folder is not None:
            ending: dict[str, object] = {"end": end, "outcome": outcome}
            if end:
                present = [name for name in HASHED_FILES if (folder / name).exists()]
                ending["files"] = {name: sha256(folder / name) for name in present}
            write_json(folder / "run.json", {**facts, "start": start, **ending})

    start = _now()
    write(None, "running")
    outcome = "stopped"
    try:
        yield
        outcome = "finished"
    finally:
        with _signals_blocked():
            write(_now(), outcome)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextlib.contextmanager
def _signals_blocked() -> Iterator[None]:
    """Hold off a second signal while the tables of what is finished are written."""
    if sys.platform == "win32":
        yield
        return
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
