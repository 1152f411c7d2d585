"""Where images are worked on: planes in lanes, by threads and a source that are kept from image to image."""

import contextlib
import dataclasses
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beadctl.console import stopping
from beadctl.errors import AnnotationError, BeadctlError, FileNote, ImageError
from beadctl.images import Found, LocalFile, Plane, content_key, open_image
from beadctl.printable import printable
from beadctl.results.formats import Output, format_of
from beadctl.results.lanes import Lanes
from beadctl.results.ledger import Row
from beadctl.results.linked import Linker
from beadctl.results.plane_row import row_of
from beadctl.results.sources import FoundPlane, Source, begun
from beadctl.segmentation.bead_table import BeadTable

# Above this a plane's labelling does not overlap with the next plane's network, to bound memory.
OVERLAPPED_PX = 64 * 2**20
CHANGED = "changed while it was read; run again once it is complete"


@dataclass(frozen=True)
class FinishedPlane:
    """A segmented plane or a linked stack: its row, its beads, their planes in it, and its outputs."""

    row: Row
    table: BeadTable | None = None
    in_plane: Sequence[int] = ()
    encoded: Mapping[Output, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class FinishedImage:
    """What became of an image, before anything of it is written.

    Attributes
    ----------
    content : str
        From `beadctl.images.content_key`; empty where nothing is to be written.
    planes : sequence of FinishedPlane
        Its planes, or its linked stacks.
    reason : str
        Why it failed as a whole; empty if it did not.
    """

    content: str = ""
    planes: Sequence[FinishedPlane] = ()
    reason: str = ""


class ImageWork:
    """Works on images; several may be begun before the first is finished.

    Parameters
    ----------
    source : Source
        Where the beads come from.
    save : sequence of Output
        What is encoded of each plane.
    keyed : bool
        Whether content is hashed, by which results that are written are known.
    """

    def __init__(self, source: Source, save: Sequence[Output], *, keyed: bool) -> None:
        self._source, self._save, self._keyed = source, save, keyed
        self._lanes = Lanes(source.lanes, source.small_px)
        self._stop = stopping.StopRequest()
        self._pool = ThreadPoolExecutor(
            self._lanes.threads, "plane", initializer=stopping.obey, initargs=(self._stop,)
        )

    @property
    def threads(self) -> int:
        """Planes that are worked on at a time, at most."""
        return self._lanes.threads

    def give_up(self) -> None:
        """Begin no further plane, and end those that are worked on at their next safe point."""
        self._stop.make()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def begin(
        self, item: Found, is_done: Callable[[str], bool] | None = None
    ) -> Callable[[], FinishedImage] | None:
        """Open an image and let its planes be worked on; the function that is returned waits for them.

        Parameters
        ----------
        item : Found
            The image.
        is_done : callable, optional
            Takes the key of its content, and returns whether it need not be worked on: then so is None.

        Raises
        ------
        BeadctlError
            An error that is not one of the image, such as a model that fails: it ends the run.
        """
        path: Path | str = item.shown
        content = ""
        try:
            file = LocalFile(item, self._source.read.limits)
            path = file.path
            before = state_of(path)
            # All of a file is read for its hash: what is no image, or beyond the limits, is refused before.
            is_copy = item.url is not None
            image = None if is_done else open_image(path, self._source.read, is_copy=is_copy)
            content = content_key(path) if self._keyed else ""
            if is_done and is_done(content):
                return None
            image = image or open_image(path, self._source.read, is_copy=is_copy)
            linker = Linker(image.planes) if self._source.rule.link_z else None
        except Exception as error:
            failed = FinishedImage(content, reason=reason_of(error, path))
            return lambda: failed
        planes = list[Future[FinishedPlane]]()
        for plane in linker.planes if linker else image.planes:
            linked = planes[-1] if linker and planes else None
            try:
                planes.append(self._pool.submit(self._plane, plane, linker, linked))
            except RuntimeError as error:
                # The image has not failed: a run that was given up takes no more, or no thread can start.
                if self._stop.made():
                    raise self._stop.error from None
                raise BeadctlError(f"{error}; is a limit of processes, as of ulimit -u, reached?") from None

        def finish() -> FinishedImage:
            found = [future.result() for future in planes]
            changed = state_of(file.path) != before
            file.remove()
            if changed:
                # A microscope may still write it: key and pixels need not be of one content.
                return FinishedImage(content, reason=CHANGED)
            if linker:
                failed = [plane.row for plane in found if plane.row.status == "failed"]
                found = [FinishedPlane(*one) for one in linker.rows(failed)]
            return FinishedImage(content, found)

        return finish

    def _plane(
        self, plane: Plane, linker: Linker | None, before: Future[FinishedPlane] | None
    ) -> FinishedPlane:
        """Find the beads of a plane and encode its outputs; it is linked after the plane `before`, if any."""
        try:
            try:
                found, done = self._found(plane)
            finally:
                if before:
                    wait([before])
            if linker:
                linker.take(plane, found)
            return done
        except Exception as error:
            size = plane.height, plane.width, plane.pixel_size_um
            reason = reason_of(error, plane.path)
            failed = Row("", plane.index, plane.position, "failed", None, *size, reason=printable(reason))
            return FinishedPlane(failed)

    def _found(self, plane: Plane) -> tuple[FoundPlane, FinishedPlane]:
        """Find the beads of a plane once there is place for it."""
        pixels = plane.height * plane.width
        places = self._lanes.places(pixels)
        with contextlib.ExitStack() as network:
            network.enter_context(self._lanes.network.taken(places))
            stopping.check()
            finish = begun(self._source, plane)
            with self._lanes.labelling.taken(places):
                if pixels <= OVERLAPPED_PX:
                    network.close()
                return finished(plane, finish, self._save)


def finished(
    plane: Plane, finish: Callable[[], FoundPlane], save: Sequence[Output]
) -> tuple[FoundPlane, FinishedPlane]:
    """Label a plane and encode its outputs."""
    found = finish()
    encoded = {output: format_of(output).encode(found.image, found.segmented, plane) for output in save}
    row = row_of(plane, found.shrink, found.segmented, found.bands)
    return found, FinishedPlane(row, found.segmented.table, encoded=encoded)


def state_of(path: Path) -> tuple[int, int] | None:
    """Return what changes when a file is written; None where that is unknown.

    Inode numbers are left out: those of some network file systems change by themselves.
    """
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_size, state.st_mtime_ns


def internal(error: Exception) -> str:
    """Return the reason of an image on which beadctl itself failed: one line that can be reported."""
    *_, last = traceback.extract_tb(error.__traceback__)
    text = " ".join(str(error).split())
    return (
        f"internal error, please report it: {type(error).__name__}: {text} ({last.name}, line {last.lineno})"
    )


def reason_of(error: Exception, path: Path | str) -> str:
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
