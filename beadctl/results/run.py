"""From a folder of images to rows, beads and files: planes at a time in lanes, images in their order."""

import contextlib
import dataclasses
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any

from beadctl.console import stopping
from beadctl.errors import AnnotationError, BeadctlError, FileNote, ImageError, OutputError
from beadctl.files import name_text, printable
from beadctl.images import Found, LocalFile, Plane, content_sha256, open_image
from beadctl.results import ledger
from beadctl.results.formats import Output, format_of
from beadctl.results.gate import Gate, wait_for
from beadctl.results.lanes import Lanes
from beadctl.results.ledger import Entry, ImageResult, Row
from beadctl.results.linked import Linker
from beadctl.results.outputs import Outputs, is_short
from beadctl.results.plane_row import row_of
from beadctl.results.sources import FoundPlane, Source, begun
from beadctl.results.written import Stamp, discard, publish, staged
from beadctl.segmentation.measure import BeadTable

# Above this a plane's labelling does not overlap with the next plane's network, to bound memory.
OVERLAPPED_PX = 64 * 2**20
CHANGED = "changed while it was read; run again once it is complete"


def run(
    found: Iterable[Found | None],
    source: Source,
    outputs: Outputs,
    take: Callable[[ImageResult], None],
    tell: Callable[[], None] = lambda: None,
    check: Callable[[], None] = lambda: None,
    is_ours: Callable[[Found], bool] = lambda _: False,
) -> None:
    """Process images in order, and call `take` with the result of each when it is complete.

    An image that fails is a row with the reason, and the others go on. One thread opens images, several work
    on their planes (see `Lanes`), and one writes the results in the order of the images; this one only waits,
    so that a signal ends the run at once. What is written of an image is taken, whenever the signal comes, if
    the caller holds signals (`beadctl.console.stopping.held`).

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

    Raises
    ------
    OutputError
        If results cannot be written: the run ends, because no further image could be written either.
    """
    gate = Gate(check)
    key, lanes = source.key, Lanes(source.lanes, source.small_px)
    threads = {"open": 1, "plane": lanes.threads, "write": 1}
    opener, worker, writer = (ThreadPoolExecutor(number, name) for name, number in threads.items())
    waiting = deque[Future[None]]()

    def take_passed() -> None:
        for result in gate.passed():
            take(result)

    def take_first() -> None:
        wait_for(waiting.popleft())
        take_passed()
        tell()

    try:
        for item in found:
            if item is None:
                while waiting:
                    take_first()
                continue
            opened = opener.submit(_open, item, source, outputs, key, worker, lanes, ours=is_ours(item))
            waiting.append(writer.submit(_finish, item, opened, outputs, gate))
            # So many that no lane is empty while the first is written.
            if len(waiting) > lanes.threads:
                take_first()
        while waiting:
            take_first()
    finally:
        for pool in (opener, worker):
            pool.shutdown(wait=False, cancel_futures=True)
        with stopping.finishing():
            gate.close()
            writer.shutdown(wait=False, cancel_futures=True)
            take_passed()


@dataclass(frozen=True)
class _Opened:
    """An image of which planes are worked on, or how it gets its result without.

    Attributes
    ----------
    planes : sequence of Future
        Its planes.
    key : str
        Made of its content, the model and the settings.
    linker : Linker or None
        Links them where each bead of a stack is counted once.
    file : LocalFile or None
        The file that they are read from.
    state : tuple of int, or None
        Of its file before it was read; see `state_of`.
    result : callable or None
        Returns the result of an image that failed or that an earlier run has done.
    """

    planes: Sequence[Future["_Plane"]] = ()
    key: str = ""
    linker: Linker | None = None
    file: LocalFile | None = None
    state: tuple[int, int] | None = None
    result: Callable[[], ImageResult] | None = None


def _open(
    item: Found,
    source: Source,
    outputs: Outputs,
    key: str,
    worker: ThreadPoolExecutor,
    lanes: Lanes,
    *,
    ours: bool,
) -> _Opened:
    """Open an image, and let its planes be worked on."""
    path: Path | str = item.shown
    try:
        if not is_short(item.name, outputs):
            raise ImageError("its name is too long for those of its results; rename it")
        file = LocalFile(item)
        path = file.path
        before = state_of(path)
        earlier = _earlier(item, outputs)
        # All of a file is read for its hash: what is no image, or beyond the limits, is refused before.
        image = None if earlier else open_image(path, source.read)
        image_key = f"{key}:{content_sha256(path)}" if outputs.folder else ""
        if earlier and _is_done(item, earlier, outputs, image_key, ours=ours):
            return _Opened(result=partial(_skip, item, earlier, outputs))
        image = image or open_image(path, source.read)
        linker = Linker(image.planes) if source.rule.link_z else None
    except Exception as error:
        return _Opened(result=partial(ledger.failed, item.name, _reason(error, path)))
    planes = list[Future[_Plane]]()
    for plane in image.planes:
        linked = planes[-1] if linker and planes else None
        planes.append(worker.submit(_plane, plane, source, outputs, lanes, linker, linked))
    return _Opened(planes, image_key, linker, file, before)


def state_of(path: Path) -> tuple[int, int] | None:
    """Return what changes when a file is written; None where that is unknown.

    Inode numbers are left out: those of some network file systems change by themselves.
    """
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_size, state.st_mtime_ns


def _skip(item: Found, entry: Entry, outputs: Outputs) -> ImageResult:
    """Return the result of an earlier run; its entry is told where the image is now."""
    if outputs.folder and entry.written is not None and entry.source != item.source:
        lines = ledger.bead_lines(outputs.folder, item.name)
        ledger.save(outputs.folder, item.name, dataclasses.replace(entry, source=item.source), lines)
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
    existing = [path.exists() for path in outputs.all_paths(item.name, planes)]
    if earlier.key == image_key:
        if foreign := outputs.foreign(item.name, planes, earlier):
            raise ImageError(_not_ours(foreign))
        return all(existing)
    if any(existing) and not ours:
        raise ImageError("changed since its result was written; use --overwrite to replace that")
    return False


@dataclass(frozen=True)
class _Plane:
    """A segmented plane or a linked stack: its row, its beads, their planes in it, and its outputs."""

    row: Row
    table: BeadTable | None = None
    in_plane: Sequence[int] = ()
    encoded: Mapping[Output, Any] = dataclasses.field(default_factory=dict)


def _plane(
    plane: Plane,
    source: Source,
    outputs: Outputs,
    lanes: Lanes,
    linker: Linker | None,
    before: Future[_Plane] | None,
) -> _Plane:
    """Find the beads of a plane and encode its outputs; it is linked after the plane `before`, if any."""
    try:
        try:
            found, done = _found(plane, source, outputs, lanes)
        finally:
            if before:
                wait([before])
        if linker:
            linker.take(plane, found)
        return done
    except Exception as error:
        return _failed_plane(plane, _reason(error, plane.path))


def _found(plane: Plane, source: Source, outputs: Outputs, lanes: Lanes) -> tuple[FoundPlane, _Plane]:
    """Find the beads of a plane once there is place for it."""
    pixels = plane.height * plane.width
    places = lanes.places(pixels)
    with contextlib.ExitStack() as network:
        network.enter_context(lanes.network.taken(places))
        stopping.check()
        finish = begun(source, plane)
        with lanes.labelling.taken(places):
            if pixels <= OVERLAPPED_PX:
                network.close()
            return _finished(plane, finish, outputs)


def _finished(plane: Plane, finish: Callable[[], FoundPlane], outputs: Outputs) -> tuple[FoundPlane, _Plane]:
    """Label a plane and encode its outputs."""
    found = finish()
    kept = outputs.save if outputs.folder else ()
    encoded = {output: format_of(output).encode(found.image, found.segmented, plane) for output in kept}
    row = row_of(plane, found.shrink, found.segmented, found.bands)
    return found, _Plane(row, found.segmented.table, encoded=encoded)


def _failed_plane(plane: Plane, reason: str) -> _Plane:
    size = plane.height, plane.width, plane.pixel_size_um
    return _Plane(Row("", plane.index, plane.position, "failed", None, *size, reason=printable(reason)))


def _finish(item: Found, opened: Future[_Opened], outputs: Outputs, gate: Gate) -> None:
    """Write an image's results, and its part of the ledger before they have their names."""
    try:
        write = _result(item, opened.result(), outputs)
    except BaseException:
        # No later image is to pass before this one.
        gate.close()
        raise
    gate.let_pass(write)


def _result(item: Found, image: _Opened, outputs: Outputs) -> Callable[[], ImageResult]:
    """Wait for the planes of an image, and return what writes and returns its result."""
    if image.result:
        return image.result
    planes = [future.result() for future in image.planes]
    assert image.file
    changed = state_of(image.file.path) != image.state
    image.file.remove()
    if changed:
        # A microscope may still write it: key and pixels need not be of one content.
        return partial(ledger.failed, item.name, CHANGED)
    if image.linker:
        failed = [plane.row for plane in planes if plane.row.status == "failed"]
        planes = [_Plane(*one) for one in image.linker.rows(failed)]
    name = name_text(item.name)
    rows = tuple(dataclasses.replace(plane.row, image=name) for plane in planes)
    result = ImageResult(rows, partial(_beads, name, planes))
    return lambda: _written(item, planes, result, outputs, image.key)


def _written(
    item: Found, planes: Sequence[_Plane], result: ImageResult, outputs: Outputs, image_key: str
) -> ImageResult:
    """Write the files of an image's result and its part of the ledger, and return what became of it."""
    if outputs.folder is None:
        return result
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
            discard(outputs.folder, {name: before[name] for name in before.keys() - written.keys()})
            entry = Entry(image_key, item.source, result, written)
            ledger.save(outputs.folder, item.name, entry, map(ledger.bead_line, result.beads()))
            publish(hidden)
    except OSError as error:
        # Another process removes what is written.
        raise OutputError(f"{outputs.folder}: cannot be written ({error.strerror or error})") from None
    return result


def _beads(image: str, planes: Sequence[_Plane]) -> Iterator[dict[str, Any]]:
    """Yield the beads of an image, by its name in the tables."""
    for plane in planes:
        if plane.table:
            number = plane.row.plane
            for bead, in_plane in zip(plane.table.rows(), plane.in_plane or repeat(number), strict=False):
                yield {"image": image, "plane": number, **bead, "in_plane": in_plane}


def _not_ours(path: Path) -> str:
    return f"{path} is not as beadctl wrote it; move it away, or use --overwrite to replace it"


def internal(error: Exception) -> str:
    """Return the reason of an image on which beadctl itself failed: one line that can be reported."""
    *_, last = traceback.extract_tb(error.__traceback__)
    text = " ".join(str(error).split())
    return (
        f"internal error, please report it: {type(error).__name__}: {text} ({last.name}, line {last.lineno})"
    )


def _reason(error: Exception, path: Path | str) -> str:
    """Return why an image failed, without its name, which its row has already.

    An error that is not one of the image, such as a model that fails, is raised: it ends the run.
    """
    match error:
        case ImageError() | AnnotationError():
            return str(error).removeprefix(f"{path}: ")
        case OSError():
            return f"cannot be read ({error.strerror or error})"
        case BeadctlError() | FileNote():
            # A note is raised where the caller's filter makes warnings exceptions.
            raise error
        case _:
            return internal(error)
