"""From a folder of images to rows, beads and files: several are worked on at a time, and one is written."""

import contextlib
import dataclasses
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any

from beadctl.console import stopping
from beadctl.errors import ImageError, OutputError
from beadctl.images import Found, Limits, LocalFile, content_key
from beadctl.images.pixel_size import changed_beside
from beadctl.results import ledger
from beadctl.results.formats import format_of
from beadctl.results.gate import Gate, wait_for
from beadctl.results.image_work import FinishedImage, FinishedPlane, ImageWork, reason_of
from beadctl.results.ledger import Entry, ImageResult
from beadctl.results.outputs import Outputs, is_short
from beadctl.results.sources import Source
from beadctl.results.workers import Workers
from beadctl.results.written import Stamp, publish, staged
from beadctl.text import name_text
from beadctl.words import form

# Images that are under way for each that a cluster works on: while one takes long, the others go on.
AHEAD = 8

Waited = Callable[[], FinishedImage | ImageResult]
"""Waits for an image that is worked on; what an earlier run has done of it is a result already."""


def run(
    found: Iterable[Found | None],
    source: Source,
    outputs: Outputs,
    take: Callable[[ImageResult], None],
    tell: Callable[[], None] = lambda: None,
    check: Callable[[], None] = lambda: None,
    is_ours: Callable[[Found], bool] = lambda _: False,
    miss: Callable[[], None] = lambda: None,
) -> None:
    """Process images, and call `take` with the result of each that is complete, in their order.

    An image that fails is a row with the reason, and the others go on. One thread opens images, several
    work on their planes (see `beadctl.results.image_work.ImageWork`), or the workers of the source do, and
    one writes the results: in the order of the images, or as they come from workers. This thread only
    waits, so that a signal ends the run at once. What is written of an image is taken, whenever the signal
    comes, if the caller holds signals (`beadctl.console.stopping.held`).

    Parameters
    ----------
    found : iterable of Found or None
        Images; before it goes on after None, all that came before are done and taken.
    source, outputs
        As for `beadctl.results.process.process`.
    take, tell, check : callable
        Called in this thread with each result, in which nothing may fail or wait; called after results were
        taken, but not at the end of a run that is given up; called before an image's files are written, to
        end the run by an exception.
    is_ours : callable
        Tells whether this run has done an image before, so that its result is replaced if the image changed.
    miss : callable
        Called for an image without a result, if a later one has one when the run is given up.

    Raises
    ------
    OutputError
        If results cannot be written: the run ends, because no further image could be written either.
    """
    gate, results, begun, place = Gate(check), dict[int, ImageResult](), 0, 0
    workers = source.workers
    work = workers or ImageWork(
        source, outputs.save if outputs.folder else (), keyed=outputs.folder is not None
    )
    # So many that no lane is empty while the first is written.
    ahead = work.threads if isinstance(work, ImageWork) else AHEAD * work.places
    opener, writer = (ThreadPoolExecutor(1, name) for name in ("open", "write"))
    waiting = deque[Future[None]]()

    def start(number: int, item: Found) -> Future[None]:
        written = Future[None]()

        def write(waited: Waited) -> None:
            # A run that is given up writes no further image.
            with contextlib.suppress(RuntimeError):
                writer.submit(_finish, number, item, waited, outputs, source.key, gate, written)

        opener.submit(_start, item, outputs, source, work, write, ours=is_ours(item))
        return written

    def take_passed() -> None:
        nonlocal place
        results.update(gate.passed())
        while place in results:
            take(results.pop(place))
            place += 1

    def take_first() -> None:
        wait_for(waiting.popleft(), gate.broken, workers.check if workers else lambda: None)
        take_passed()
        tell()

    try:
        for item in found:
            if item is None:
                while waiting:
                    take_first()
                continue
            waiting.append(start(begun, item))
            begun += 1
            if len(waiting) > ahead:
                take_first()
        while waiting:
            take_first()
    finally:
        opener.shutdown(wait=False, cancel_futures=True)
        work.give_up()
        with stopping.finishing():
            gate.close()
            writer.shutdown(wait=False, cancel_futures=True)
            take_passed()
            while results:
                miss()
                place += 1
                take_passed()


def _start(
    item: Found,
    outputs: Outputs,
    source: Source,
    work: ImageWork | Workers,
    then: Callable[[Waited], None],
    *,
    ours: bool,
) -> None:
    """Have an image worked on, and call `then` with what waits for it: at once, or when a worker is done."""
    try:
        if not is_short(item.name, outputs):
            text = ", or no UTF-8," * (outputs.stored is not None)
            raise ImageError(f"its name is too long{text} for those of its results; rename it")
        if path := outputs.in_the_way(item.name, 1):
            raise ImageError(_taken(path))
        earlier = _earlier(item, outputs)

        def is_done(content: str) -> bool:
            key = f"{source.key}:{content}"
            return earlier is not None and _is_done(item, earlier, outputs, key, ours=ours)

        begun = _begun(item, source.read.limits, work, is_done if earlier else None)
    except BaseException as error:
        then(partial(_not_begun, item, error))
    else:
        if begun is None:
            assert earlier
            then(partial(_skip, item, earlier, outputs))
        elif isinstance(begun, Future):
            begun.add_done_callback(lambda done: then(done.result))
        else:
            then(begun)


def _not_begun(item: Found, error: BaseException) -> FinishedImage:
    """Return why an image failed before it was worked on; an error that ends the run is raised."""
    if isinstance(error, Exception):
        return FinishedImage(reason=reason_of(error, item.shown))
    raise error


def _begun(
    item: Found, limits: Limits, work: ImageWork | Workers, is_done: Callable[[str], bool] | None
) -> Callable[[], FinishedImage] | Future[FinishedImage] | None:
    """Have an image worked on; None where it is done already, which needs its content."""
    if isinstance(work, ImageWork):
        return work.begin(item, is_done)
    if is_done:
        file = LocalFile(item, limits)
        try:
            if is_done(content_key(file.path)):
                return None
        finally:
            file.remove()
    return work.submit(item if item.url else Found(item.path.absolute(), item.name), str(item.path))


def _skip(item: Found, entry: Entry, outputs: Outputs) -> ImageResult:
    """Return the result of an earlier run; its entry is told where the image is now."""
    if outputs.folder and entry.written is not None and entry.source != item.source:
        lines = ledger.bead_lines(outputs.folder, item.name)
        ledger.save(outputs.folder, item.name, dataclasses.replace(entry, source=item.source), lines)
        outputs.keep(item.name)
    return ledger.skipped(
        entry.result, partial(ledger.beads, outputs.folder, item.name) if outputs.folder else tuple
    )


def _earlier(item: Found, outputs: Outputs) -> Entry | None:
    """Return the entry of an earlier run, or None where the image is to be done (again)."""
    entry = ledger.read(outputs.folder, item.name) if outputs.folder and not outputs.overwrite else None
    return None if entry is None or entry.result.failed else entry


def _is_done(item: Found, earlier: Entry, outputs: Outputs, image_key: str, *, ours: bool) -> bool:
    """Return whether an earlier run did an image of this content, and all that it gives is there."""
    planes = len(earlier.result.rows)
    existing = [outputs.exists(path) for path in outputs.all_paths(item.name, planes)]
    if earlier.key == image_key:
        if foreign := outputs.foreign(item.name, planes, earlier):
            raise ImageError(_not_ours(foreign))
        return all(existing)
    if any(existing) and not ours:
        (before, same), (stated, content) = map(_stated_and_content, (earlier.key, image_key))
        what = changed_beside(before, stated) if content == same else ""
        verb = form(1 + (" and " in what), "has", "have")
        where = f"its {what}, in a file beside it, {verb} " * bool(what)
        raise ImageError(f"{where}changed since its result was written; use --overwrite to replace that")
    return False


def _stated_and_content(image_key: str) -> tuple[str, str]:
    """Return what `beadctl.images.content_key` puts into the key of an image."""
    head, _, content = image_key.rpartition(":")
    return head.partition(":")[2], content


def _finish(
    number: int,
    item: Found,
    waited: Waited,
    outputs: Outputs,
    key: str,
    gate: Gate,
    written: Future[None],
) -> None:
    """Write an image's results, and its part of the ledger before they have their names."""
    try:
        gate.let_pass(number, _result(item, waited, outputs, key))
    except BaseException as error:
        # No later image is to pass before this one.
        gate.break_off(error)
        written.set_exception(error)
    else:
        written.set_result(None)


def _result(item: Found, waited: Waited, outputs: Outputs, key: str) -> Callable[[], ImageResult]:
    """Wait for an image, and return what writes and returns its result."""
    try:
        image = waited()
    except ImageError as error:
        image = FinishedImage(reason=reason_of(error, item.shown))
    if isinstance(image, ImageResult):
        return lambda: image
    if image.reason:
        return partial(ledger.failed, item.name, image.reason)
    name = name_text(item.name)
    rows = tuple(dataclasses.replace(plane.row, image=name) for plane in image.planes)
    tables = [dataclasses.replace(plane, encoded={}) for plane in image.planes]
    result = ImageResult(rows, partial(_beads, name, tables))
    return partial(_written, item, image.planes, result, outputs, f"{key}:{image.content}")


def _written(
    item: Found, planes: Sequence[FinishedPlane], result: ImageResult, outputs: Outputs, image_key: str
) -> ImageResult:
    """Write the files of an image's result and its part of the ledger, and return what became of it."""
    if outputs.folder is None:
        return result
    if path := outputs.in_the_way(item.name, len(planes)):
        return ledger.failed(item.name, _taken(path))
    earlier = None
    # An unreadable entry is replaced with --overwrite, and has ended the run without.
    with contextlib.suppress(OutputError):
        earlier = ledger.read(outputs.folder, item.name)
    foreign = None if outputs.overwrite else outputs.foreign(item.name, len(planes), earlier)
    if foreign:
        return ledger.failed(item.name, _not_ours(foreign))
    before = dict(earlier.written or {}) if earlier else {}
    kept = before if earlier and earlier.key == image_key else {}
    try:
        with staged([] if result.failed else outputs.all_paths(item.name, len(planes))) as hidden:
            for output in () if result.failed else outputs.save:
                paths = [hidden[path] for path in outputs.paths(output, item.name, len(planes))]
                format_of(output).write(paths, [plane.encoded[output] for plane in planes])
            written = kept | {outputs.key(path): Stamp.of(temporary) for path, temporary in hidden.items()}
            # Outlines of an earlier result would contradict this one.
            outputs.discard({name: before[name] for name in before.keys() - written.keys()})
            entry = Entry(image_key, item.source, result, written)
            ledger.save(outputs.folder, item.name, entry, map(ledger.bead_line, result.beads()))
            publish(hidden)
        outputs.keep(item.name, list(hidden))
    except OSError as error:
        # Another process removes what is written.
        raise OutputError(f"{outputs.folder}: cannot be written ({error.strerror or error})") from None
    return result


def _beads(image: str, planes: Sequence[FinishedPlane]) -> Iterator[dict[str, Any]]:
    """Yield the beads of an image, by its name in the tables."""
    for plane in planes:
        if plane.table:
            number = plane.row.plane
            for bead, in_plane in zip(plane.table.rows(), plane.in_plane or repeat(number), strict=False):
                yield {"image": image, "plane": number, **bead, "in_plane": in_plane}


def _taken(path: Path) -> str:
    return f"{path}, of another image, has the place of its result; rename one, or use another -o"


def _not_ours(path: Path) -> str:
    return f"{path} is not as beadctl wrote it for this image; move it away, or use --overwrite to replace it"
