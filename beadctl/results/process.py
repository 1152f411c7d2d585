"""A whole run over images: checks first, then images in order, tables and record in any case."""

import contextlib
import platform
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from beadctl import __version__, console, lock
from beadctl.console import stopping
from beadctl.errors import OutputError
from beadctl.files import require_free, toml_text, write_text
from beadctl.images import Found
from beadctl.results import ledger, run
from beadctl.results.ledger import ImageResult
from beadctl.results.outdated import EarlierStatistics
from beadctl.results.outputs import Outputs, check_outputs
from beadctl.results.record import RUN_FILES, recorded
from beadctl.results.sources import Source
from beadctl.results.tables import flagged, write_tables
from beadctl.results.tally import Tally
from beadctl.results.telling import Teller
from beadctl.segmentation.filters import Filters


def process(
    inputs: Sequence[Path],
    found: Sequence[Found],
    source: Source,
    outputs: Outputs,
    *,
    settings: Mapping[str, Mapping[str, Any]],
    messages: console.Messages,
    on_result: Callable[[ImageResult], None] = lambda _: None,
    write_more: Callable[[], None] = lambda: None,
) -> Tally:
    """Segment images, write their results and a record of the run, and return what was done.

    Parameters
    ----------
    inputs, found : sequence of Path and of Found
        Files and folders as the user gave them, for the record, and the images in them.
    source : Source
        Where the beads come from.
    outputs : Outputs
        What is written, and where.
    settings : mapping
        The effective settings by section, as plain values, for the record.
    messages, on_result : Messages and callable
        Prints failures and progress; called with the result of each image as it is done.
    write_more : callable
        Called once all images are done, to write further tables of the run into the folder.

    Raises
    ------
    OutputError
        If a result would replace another, cannot be written, or another process writes into the folder.
    IncompleteError
        If results could be written no longer: the message says which of them are missing.
    """
    folder = outputs.folder
    facts = {"inputs": [str(path) for path in inputs]} | _facts(found, source, settings)
    tally = Tally()

    def tables(folder: Path, earlier: EarlierStatistics) -> None:
        others, gone, lost = write_tables(folder, found, tally, source.key, outputs)
        table = folder / "counts.csv"
        if others:
            kept = f"{table}: images of earlier runs kept: {len(others)}"
            teller.later(partial(messages.info, kept))
        if gone:
            left = f"images that are no longer there left out: {len(gone)}, such as {gone[0]}"
            teller.later(partial(messages.warn, f"{table}: {left}"))
        if outdated := earlier.remove_outdated():
            removed = f"removed, as the counts that they are of have changed: {', '.join(outdated)}"
            teller.later(partial(messages.warn, f"{folder}: {removed}"))
        if lost:
            left = f"{len(lost)}, such as {lost[0]}"
            raise OutputError(f"{folder}: results removed during the run: {left}; run again")

    teller = Teller(may_wait=messages.hear is None)
    # A signal is raised between two images alone: else words, tables and record would tell different things.
    with stopping.held(), contextlib.ExitStack() as stack:
        # Words may have to wait for whoever reads them, so they come after the files.
        stack.callback(teller.end)
        check = stack.enter_context(lock.held(folder, messages.info)).check if folder else lambda: None
        check_outputs(found, source.key, outputs)
        if source.lacking:
            messages.info(f"{source.lacking}; so detection, field and combined intervals of counts are empty")
        if folder:
            if not (folder / ledger.FOLDER).exists():
                require_free(folder, RUN_FILES, outputs.overwrite)
            write = partial(tables, folder, EarlierStatistics(folder))
            stack.enter_context(recorded(folder, facts, len(found), check, write))
            # Written first: it marks the folder as one of ours, whose tables a rerun may replace.
            write_text(folder / ledger.FOLDER / "version", __version__ + "\n")
            # A rerun with these settings must not overwrite unless it is asked to again.
            saved = {**settings, "output": {**settings["output"], "overwrite": False}}
            write_text(folder / "settings.toml", toml_text(saved))
        advance = stack.enter_context(messages.progress(len(found), source.work, teller.later))
        teller.tell()

        def take(result: ImageResult) -> None:
            tally.add(result)
            teller.later(partial(_tell, result, messages, on_result))
            advance(failed=result.failed)

        run.run(found, source, outputs, take, teller.tell, check)
        with stopping.finishing():
            write_more()
    _say_doubts(tally, source.rule.filters, messages)
    return tally


def _tell(result: ImageResult, messages: console.Messages, on_result: Callable[[ImageResult], None]) -> None:
    """Say what became of an image."""
    on_result(result)
    for row in result.rows:
        console.event("image", **row.cells())
        if row.status == "failed":
            messages.fail(f"{row.image}: {row.reason}")
        elif row.quality:
            messages.warn(flagged(row))


def _say_doubts(tally: Tally, filters: Filters, messages: console.Messages) -> None:
    """Say how many counts have a flag, and what the filters left out."""
    if tally.flagged:
        what = f"{tally.flagged} of {tally.counted} counts have a quality flag"
        messages.warn(f"{what}; look at the overlays before use")
    if filters.names and tally.counted:
        messages.info(filters.note(tally.filtered, tally.beads))


def _facts(found: Sequence[Found], source: Source, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what ``run.json`` says of a run before it starts."""
    return {
        "beadctl": __version__,
        "python": platform.python_version(),
        "host": platform.node(),
        "images": len(found),
        "device_asked": settings["inference"]["device"],
        **source.facts(),
        "settings": settings,
    }
