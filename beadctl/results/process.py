"""A whole run over images: checks first, then images in order, tables and record in any case."""

import contextlib
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import zip_longest
from pathlib import Path, PurePosixPath
from typing import Any

from beadctl import __version__, console, lock
from beadctl.console import stopping
from beadctl.counting.border import matters, overstatement
from beadctl.errors import OutputError
from beadctl.files import require_free, write_text
from beadctl.images import Found
from beadctl.results import ledger, run, shards
from beadctl.results.flag_warnings import FlagWarnings
from beadctl.results.helping import help_others, sharing
from beadctl.results.ledger import ImageResult, Status
from beadctl.results.outdated import REPORT, EarlierStatistics, removed_words
from beadctl.results.outputs import Outputs, check_outputs
from beadctl.results.record import RUN_FILES, recorded
from beadctl.results.shards import Part
from beadctl.results.sources import Source
from beadctl.results.tables import write_tables
from beadctl.results.tally import Tally
from beadctl.results.telling import Teller
from beadctl.segmentation.filters import Filters
from beadctl.text import toml_text
from beadctl.url import shown
from beadctl.words import form, number_of


def process(
    inputs: Sequence[Path],
    found: Sequence[Found] | Part,
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
    inputs, found : sequence of Path, and sequence of Found or Part
        Files and folders as the user gave them, for the record, and the images in them, or those of a shard:
        then `beadctl.results.merge.merge` writes the tables.
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
    part = found if isinstance(found, Part) else None
    found = found.found if isinstance(found, Part) else found
    facts = facts_of(inputs, len(found), source, settings)
    if part:
        facts |= shards.facts(part, source.key, outputs.save)
    source = sharing(part, source, outputs)
    tally, teller = Tally(), Teller(may_wait=messages.hear is None)

    def states() -> Iterator[tuple[PurePosixPath, ImageResult | Status | None]]:
        return zip_longest((item.name for item in found), tally.images)

    def tables(folder: Path, earlier: EarlierStatistics) -> None:
        left = write_tables(folder, states, source.key, outputs)
        teller.later(partial(messages.notes, list(left.notes(folder))))
        # A report that is written again is not missed.
        written_again = [REPORT] * bool(settings["output"].get("report"))
        if outdated := [name for name in earlier.remove_outdated() if name not in written_again]:
            teller.later(partial(messages.warn, removed_words(folder, outdated)))
        if left.removed:
            raise OutputError(f"{folder}: results removed during the run: {left.removed}; run again")

    tell = partial(tell_image, messages, FlagWarnings(messages, folder), on_result)
    # A signal is raised between two images alone: else words, tables and record would tell different things.
    with stopping.held(), contextlib.ExitStack() as stack:
        # Words may have to wait for whoever reads them, so they come after the files.
        stack.callback(teller.end)
        check = stack.enter_context(_held(folder, part, outputs, messages)) if folder else lambda: None
        check_outputs(found, source.key, outputs)
        say_lacking(source, messages)
        if folder:
            if part:
                own = hidden = shards.folder_of(folder, part.shard)
                write = partial(shards.write_images, own, part, tally.images)
            else:
                if not (folder / ledger.FOLDER).exists():
                    require_free(folder, RUN_FILES, overwrite=outputs.overwrite)
                own, hidden = folder, folder / ledger.FOLDER
                write = partial(tables, folder, EarlierStatistics(folder))
            stack.enter_context(recorded(own, hidden / "reserve", facts, len(found), check, write))
            if not part:
                mark(folder)
            save_settings(own, settings)
            outputs.sync()
        # Its time is that of the images: plots may take as long again.
        with messages.progress(len(found), source.work, teller.later) as advance:
            teller.tell()

            def take(result: ImageResult) -> None:
                tally.add(result)
                teller.later(partial(tell, result))
                advance(failed=result.failed, earlier=result.rows[0].status == "skipped")

            run.run(found, source, outputs, take, teller.tell, check, miss=tally.miss)
            help_others(part, source, folder, messages)
        with stopping.finishing():
            write_more()
    say_doubts(tally, source.rule.filters, messages)
    return tally


@contextlib.contextmanager
def _held(
    folder: Path, part: Part | None, outputs: Outputs, messages: console.Messages
) -> Iterator[Callable[[], None]]:
    """Hold what this process alone writes; yield what raises an error once another process does."""
    if part:
        with shards.held(folder, part, messages.info, messages.warn, overwrite=outputs.overwrite) as own:
            yield own.check
    else:
        with lock.held(folder, messages.info, partial(shards.paths, folder)) as whole:
            yield whole.check


def mark(folder: Path) -> None:
    """Mark a folder as one of ours, whose tables a rerun may replace; first of all files of a run."""
    write_text(folder / ledger.FOLDER / "version", __version__ + "\n")


def save_settings(folder: Path, settings: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the settings of a run for ``--config``."""
    # A rerun with these settings must not overwrite unless it is asked to again.
    saved = {**settings, "output": {**settings["output"], "overwrite": False}}
    write_text(folder / "settings.toml", toml_text(saved))


def tell_image(
    messages: console.Messages,
    flags: FlagWarnings,
    on_result: Callable[[ImageResult], None],
    result: ImageResult,
) -> None:
    """Say what became of an image."""
    on_result(result)
    for row in result.rows:
        console.event("image", **row.cells())
        if row.status == "failed":
            messages.fail(f"{row.place}: {row.reason}")
    flags.tell(result)


def say_lacking(source: Source, messages: console.Messages) -> None:
    """Say why counts have no intervals, where that is so."""
    if source.lacking:
        messages.info(f"{source.lacking}; so detection, field and combined intervals of counts are empty")


def say_doubts(tally: Tally, filters: Filters, messages: console.Messages) -> None:
    """Say how many counts have a flag, what the filters left out, and what the border adds."""
    if tally.flagged:
        verb = form(tally.flagged, "has", "have")
        what = f"{tally.flagged} of {number_of(tally.counted, 'count')} {verb} a quality flag"
        messages.warn(f"{what}; look at the overlays before use")
    if filters.names and tally.counted:
        messages.info(filters.note(tally.filtered, tally.beads))
    if matters(tally.beads, tally.cut):
        cut = f"{tally.cut} of {number_of(tally.beads, 'bead')}"
        extra = f"{overstatement(tally.beads, tally.cut):.0%}"
        what = f"cut by the border: density is overstated by about {extra}"
        messages.info(f"{cut} {form(tally.cut, 'is', 'are')} {what}; --counting-frame corrects that")


def facts_of(
    inputs: Sequence[Path], images: int, source: Source, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what ``run.json`` says of a run over so many images before it starts."""
    return {
        "inputs": [shown(path) for path in inputs],
        "beadctl": __version__,
        "python": platform.python_version(),
        "host": platform.node(),
        "images": images,
        "device_asked": settings["inference"]["device"],
        **source.facts(),
        "settings": settings,
    }
