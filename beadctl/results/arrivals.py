"""Images as they arrive in a folder into which another program writes: looked for again and again.

Looking works on every file system, where notices of changes come from local ones alone.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from beadctl.console import stopping
from beadctl.errors import ImageError
from beadctl.images import Found, Search, Selection, search
from beadctl.results.image_work import state_of

# Between two looks; a look at a slow file system takes at most this share of the time.
LOOK_S, MOST_SHARE = 2.0, 0.2
# Looks after which an image that fails is tried again at the latest: what it lacks may be another file.
MOST_WAIT = 64

State = tuple[int, int] | None
"""Size and time of a file; None where they are unknown."""
NEVER = (-1, -1)


@dataclass(frozen=True)
class Folder:
    """A folder of images that is looked at.

    Attributes
    ----------
    path : Path
        The folder.
    exclude : sequence of Path
        Files and folders in it that hold no images, such as the results.
    selection : Selection
        Which files are used.
    """

    path: Path
    exclude: Sequence[Path]
    selection: Selection

    def look(self) -> tuple[Search | None, str]:
        """Return what is in it, and a line on what is not read; None if the folder cannot be reached."""
        try:
            found = search([self.path], self.exclude, self.selection)
        except ImageError as error:
            return (Search(()) if _is_readable(self.path) else None), str(error)
        return found, "; ".join(found.unread())


def _is_readable(folder: Path) -> bool:
    try:
        return next(folder.iterdir(), folder) is not None
    except OSError:
        return False


@dataclass(slots=True)
class _Image:
    """What is known of an image.

    Attributes
    ----------
    seen, begun : tuple of int, or None
        State of the file at the last look, and when it was given out last.
    steady : bool
        Whether the last two looks saw the same.
    wait, due : int
        Looks until an image that failed is given out again, which double; the look that does it, 0 if it did
        not fail.
    """

    seen: State
    begun: State = NEVER
    steady: bool = False
    wait: int = 1
    due: int = 0


class Arrivals:
    """The images of a folder, each given out once its file has stopped changing.

    That is when two looks one after another see the same size and time. An image whose file changes later is
    given out again, and so is one that failed, after 2, 4, 8 ... 64 looks: some programs keep a file locked,
    and parts of a set of files come one after another.

    Parameters
    ----------
    folder : Folder
        The folder.
    wait : callable
        Waits for some seconds between two looks; what it raises ends the work.

    Attributes
    ----------
    search : Search
        What is in the folder, as it was seen last.
    lost : str
        Why the folder could not be reached at the last look; empty otherwise.
    unread : str
        What in it is not read.
    """

    def __init__(self, folder: Folder, wait: Callable[[float], None]) -> None:
        self._folder, self._wait = folder, wait
        self._known: dict[Found, _Image] = {}
        self._looks, self._took_s = 0, 0.0
        self.search = Search(())
        self.lost = self.unread = ""

    @property
    def folder(self) -> Path:
        """The folder that is looked at."""
        return self._folder.path

    @property
    def images(self) -> tuple[Found, ...]:
        """The images in it, in the order of a search."""
        return self.search.images

    def look(self, *, is_last: bool = False) -> None:
        """See what is in the folder; where it cannot be reached, all stays as it was seen last.

        The last look comes too soon after the one before to tell that a file has stopped changing.
        """
        began = time.monotonic()
        # A signal would else leave the process in the middle of a look that takes long, without tables.
        with stopping.finishing():
            found, words = self._folder.look()
        self.lost, self.unread = ("", words) if found else (words, self.unread)
        self._looks += 1
        if found:
            known, self._known = self._known, {}
            self.search = found
            for item in found.images:
                state = state_of(item.path)
                image = known.get(item) or _Image(state)
                image.steady = item in known and state == image.seen and (image.steady or not is_last)
                image.seen = state
                self._known[item] = image
        self._took_s = time.monotonic() - began

    def complete(self) -> Iterator[Found]:
        """Yield the images that are to be done: new ones, changed ones, and those to try again."""
        for item, image in tuple(self._known.items()):
            is_due = image.begun != image.seen or 0 < image.due <= self._looks
            if image.steady and is_due and not self.lost:
                image.begun, image.due = image.seen, 0
                yield item

    def has(self, item: Found) -> bool:
        """Return whether an image was there at the last look."""
        return item in self._known

    def failed(self, item: Found) -> None:
        """Have an image that failed tried again."""
        if image := self._known.get(item):
            image.wait = min(2 * image.wait, MOST_WAIT)
            image.due = self._looks + image.wait

    def is_written(self, item: Found) -> bool:
        """Return whether the file of an image was still changing, or has changed since it was given out."""
        image = self._known[item]
        return image.begun != image.seen and not image.steady

    def pause(self) -> None:
        """Wait until the next look."""
        self._wait(max(LOOK_S, self._took_s / MOST_SHARE))
