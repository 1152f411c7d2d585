"""A run over a folder into which another program writes images, until a signal ends it."""

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from beadctl import console, lock
from beadctl.console import stopping
from beadctl.errors import Interrupted
from beadctl.files import require_free
from beadctl.images import Found
from beadctl.results import ledger, run, shards
from beadctl.results.arrivals import Arrivals, Folder
from beadctl.results.flag_warnings import flagged
from beadctl.results.ledger import ImageResult, Status
from beadctl.results.outdated import EarlierStatistics
from beadctl.results.outputs import Names, Outputs, check_outputs
from beadctl.results.process import facts_of, mark, save_settings, say_doubts, say_lacking
from beadctl.results.record import RUN_FILES, recorded
from beadctl.results.sources import Source
from beadctl.results.tables import Left, States, write_tables
from beadctl.results.tally import Tally
from beadctl.results.telling import Teller
from beadctl.text import name_text
from beadctl.words import number_of

# Tables and the report, which are written anew, take at most this share of the time; and while images wait,
# they are written so seldom, because no plane is worked on meanwhile.
MOST_SHARE, BUSY_S = 0.1, 20.0
BEING_WRITTEN = "its file was still being written at the end; run again once it is complete"


def watch(
    folder: Folder,
    source: Source,
    outputs: Outputs,
    *,
    settings: Mapping[str, Mapping[str, Any]],
    messages: console.Messages,
    write_report: Callable[[], object] | None = None,
    wait: Callable[[float], None] = stopping.wait,
) -> Tally:
    """Segment the images of a folder as they arrive, until a signal comes, and return what was done.

    An image is done once its file has stopped changing, and again if it changes later. One that fails is
    tried again, for it may be incomplete. Tables, record and ledger are those of
    `beadctl.results.process.process`, so that this may go on with a run of that, and that with one of this.

    Parameters
    ----------
    folder : Folder
        Where the images arrive; it may be empty.
    source, outputs, settings : Source, Outputs and mapping
        As for `beadctl.results.process.process`; there is a folder of results.
    messages : Messages
        Prints each image, warnings and what was done.
    write_report : callable, optional
        Writes the report of the folder of results.
    wait : callable
        Waits for some seconds; the `Interrupted` that it raises ends the watching.

    Raises
    ------
    Interrupted
        If images that had arrived are not done; finished ones are kept. The signal is otherwise the end.
    OutputError
        As for `beadctl.results.process.process`.
    """
    out = outputs.folder
    assert out is not None
    teller = Teller(may_wait=messages.hear is None)
    watching = _Watching(Arrivals(folder, wait), source, outputs, messages, teller, write_report)
    with stopping.held(), contextlib.ExitStack() as stack:
        stack.callback(teller.end)
        check = stack.enter_context(lock.held(out, messages.info, partial(shards.paths, out))).check
        watching.begin()
        if not (out / ledger.FOLDER).exists():
            require_free(out, RUN_FILES, overwrite=outputs.overwrite)
        facts = facts_of([folder.path], len(watching.arrivals.images), source, settings)
        write = partial(watching.write_last, facts)
        with _reported(watching), recorded(out, out / ledger.FOLDER / "reserve", facts, 0, check, write):
            mark(out)
            save_settings(out, settings)
            try:
                run.run(
                    watching.images(check),
                    source,
                    outputs,
                    watching.take,
                    teller.tell,
                    check,
                    watching.is_done,
                )
            except Interrupted as stop:
                watching.end(stop)
    watching.conclude()
    return watching.tally


@contextlib.contextmanager
def _reported(watching: "_Watching") -> Iterator[None]:
    """Write the report at the end, also where a signal left images."""
    try:
        yield
    except Interrupted:
        watching.report.now()
        raise
    watching.report.now()


class _Paced:
    """A step that is done again and again, in at most a tenth of the time.

    Parameters
    ----------
    step : callable
        The step.
    """

    def __init__(self, step: Callable[[], object]) -> None:
        self._step, self._took_s, self._ended_s, self.asked = step, 0.0, time.monotonic(), False

    def due(self, least_s: float) -> bool:
        """Return whether it is asked for, and the last time is long enough ago."""
        return self.asked and time.monotonic() - self._ended_s >= max(least_s, self._took_s / MOST_SHARE)

    def now(self) -> None:
        """Do it, if it is asked for; a signal waits for its end."""
        if not self.asked:
            return
        began = time.monotonic()
        with stopping.finishing():
            self._step()
        self._ended_s = time.monotonic()
        self._took_s, self.asked = self._ended_s - began, False


class _Watching:
    """What became of the images so far, and their tables.

    Attributes
    ----------
    arrivals : Arrivals
        The images of the folder.
    tally : Tally
        What is in the tables.
    report : _Paced
        Writes the report.
    """

    def __init__(
        self,
        arrivals: Arrivals,
        source: Source,
        outputs: Outputs,
        messages: console.Messages,
        teller: Teller,
        write_report: Callable[[], object] | None,
    ) -> None:
        assert outputs.folder is not None
        self.arrivals, self.tally = arrivals, Tally()
        self._folder, self._source, self._outputs = outputs.folder, source, outputs
        self._messages, self._teller = messages, teller
        self._names, self._earlier = Names(arrivals.has), EarlierStatistics(outputs.folder)
        # By the names of images in the tables; and what became of those that once were done, by whom, though
        # their files have changed since and failed.
        self._states: dict[str, ImageResult | Status] = {}
        self._done: dict[str, Status] = {}
        self._begun: dict[str, Found] = {}
        self._told, self._began = "", time.monotonic()
        self._tables, self._has_report = _Paced(self._write_tables), write_report is not None
        self.report = _Paced(write_report or (lambda: None))

    def begin(self) -> None:
        """Look for the first time, and refuse what a run refuses at its start."""
        self.arrivals.look()
        check_outputs(self.arrivals.images, self._source.key, self._outputs)
        say_lacking(self._source, self._messages)

    def images(self, check: Callable[[], None]) -> Iterator[Found | None]:
        """Yield images as they are complete, and None where all that came before are to be taken."""
        folder, here = self.arrivals.folder, len(self.arrivals.images)
        self._say(f"watching {folder}; images so far: {here}; Ctrl-C ends it")
        while True:
            self._say_unread()
            for item in self.arrivals.complete():
                problem = self._names.problem(item) if self._outputs.save else None
                self._begun[name_text(item.name)] = item
                if problem:
                    self.take(ledger.failed(item.name, problem))
                    continue
                yield item
                yield from self._kept_current(check, BUSY_S)
            yield None
            yield from self._kept_current(check, 0)
            self._teller.tell()
            self.arrivals.pause()
            self.arrivals.look()

    def _kept_current(self, check: Callable[[], None], least_s: float) -> Iterator[None]:
        """Write tables and report where they are due, once all images that were begun are taken."""
        if self._tables.due(least_s) or self.report.due(least_s):
            yield None
            check()
            self._tables.now()
            if self.report.due(least_s):
                self.report.now()

    def is_done(self, item: Found) -> bool:
        """Return whether this run has done an image, or has seen that an earlier one did.

        A file that is written anew may have failed since.
        """
        return name_text(item.name) in self._done

    def take(self, result: ImageResult) -> None:
        """Take the result of an image, and say it."""
        name, before = result.rows[0].image, self._states.get(result.rows[0].image)
        after: ImageResult | Status = ImageResult(result.rows) if result.failed else result.rows[0].status
        # The file of an image may get another time and the same content.
        is_same = after == "skipped" and before in ("ok", "skipped")
        if isinstance(after, str):
            after = self._done[name] = self._done.get(name, after) if after == "skipped" else after
        self._states[name] = after
        item = self._begun.pop(name, None)
        if result.failed and item:
            self.arrivals.failed(item)
        if not is_same and not (result.failed and after == before):
            self._teller.later(partial(self._tell, result, again=item is not None))
        self._tables.asked, self.report.asked = True, self._has_report

    def _tell(self, result: ImageResult, *, again: bool) -> None:
        for row in result.rows:
            console.event("image", **row.cells())
            if row.status == "failed":
                self._messages.warn(f"{row.place}: {row.reason}{'; it is tried again' * again}")
        if words := flagged(result):
            self._messages.warn(words)
        if not result.failed:
            planes = f" in {len(result.rows)} planes" if len(result.rows) > 1 else ""
            beads = number_of(sum(row.count or 0 for row in result.rows), "bead")
            before = ", done by an earlier run" * (result.rows[0].status == "skipped")
            self._messages.info(f"{result.rows[0].image}: {beads}{planes}{before}")

    def _say(self, line: str) -> None:
        self._teller.later(partial(self._messages.info, line))

    def _say_unread(self) -> None:
        """Say what is not read, and that the folder is out of reach, where that is another than before."""
        words = self.arrivals.lost or self.arrivals.unread
        # Numbers of files change all the time.
        if words and re.sub(r"\d+", "", words) != re.sub(r"\d+", "", self._told):
            self._teller.later(partial(self._messages.warn, f"{words}; waiting"))
        self._told = words

    def end(self, stop: Interrupted) -> None:
        """Look for the last time; raise the signal again if images that were complete are not done."""
        self.arrivals.look(is_last=True)
        states = [state for _, state in self._of_all()]
        if None in states:
            done = sum(isinstance(state, str) for state in states)
            stop.done = f"watching: {done} of {len(states)} done"
            raise stop

    def _of_all(self) -> Iterator[tuple[PurePosixPath, ImageResult | Status | None]]:
        """Yield the images of the last look and what became of each."""
        for item in self.arrivals.images:
            if self.arrivals.is_written(item):
                yield item.name, ledger.failed(item.name, BEING_WRITTEN)
            else:
                yield item.name, self._states.get(name_text(item.name))

    def _of_done(self) -> Iterator[tuple[PurePosixPath, ImageResult | Status | None]]:
        """Yield the images that were done or have failed."""
        return ((name, state) for name, state in self._of_all() if name_text(name) in self._states)

    def _written(self, states: States) -> Left:
        """Write the tables, without images of this run that a later look left out."""

        def was_ours(name: PurePosixPath) -> bool:
            return name_text(name) in self._states

        key = self._source.key
        return write_tables(self._folder, states, key, self._outputs, self.tally.add, was_ours)

    def _write_tables(self) -> None:
        self.tally = Tally()
        self._written(self._of_done)
        self._earlier.remove_outdated()

    def write_last(self, facts: dict[str, Any]) -> None:
        """Write the tables of all images, and say what they leave out."""
        facts["images"] = len(self.arrivals.images)
        self.tally = Tally()
        left = self._written(self._of_all)
        self._earlier.remove_outdated()
        self.report.asked = self._has_report and self.tally.planes > 0
        notes = [*self.arrivals.search.notes(), *left.notes(self._folder)]
        self._teller.later(partial(self._messages.notes, notes))
        for state in self.tally.images:
            rows = state.rows if isinstance(state, ImageResult) else ()
            for row in (row for row in rows if row.status == "failed"):
                self._teller.later(partial(self._messages.fail, f"{row.place}: {row.reason}"))

    def conclude(self) -> None:
        """Say what was done; the process need not be left after that."""
        failed = sum(isinstance(state, ImageResult) for state in self.tally.images)
        words = f"watched for {console.duration(time.monotonic() - self._began)}; "
        words += f"images: {len(self.tally.images)}, failed: {failed}, beads: {self.tally.beads}"
        say_doubts(self.tally, self._source.rule.filters, self._messages)
        stopping.last_words(partial(self._messages.info, words))
