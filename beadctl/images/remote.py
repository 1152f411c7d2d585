"""The file of an image: that of an object in a store is a copy, while it is read.

Readers of image files need a file, so an object is copied to the folder of temporary files when it is opened,
and the copy is removed when its planes are done.
"""

import contextlib
import functools
import shutil
import time
import weakref
from pathlib import Path
from typing import Any

from beadctl import scratch, store
from beadctl.console import stopping
from beadctl.errors import ImageError
from beadctl.images.found import Found
from beadctl.images.limits import Limits
from beadctl.url import Url

USUAL = Limits()
# Fewer bytes in this time, 1 kB a second, are no copy that ends.
LEAST_BYTES, PERIOD_S = 60_000, 60.0


class LocalFile:
    """The file of an image; that of an object in a store is a copy, which is removed with this object.

    Parameters
    ----------
    item : Found
        The image.
    limits : Limits
        What a file may hold.

    Raises
    ------
    ImageError
        If an object is missing, cannot be reached, comes at less than 1 kB a second, or is beyond the limits,
        or access to it is denied.
    OutputError
        If there is no room for the copy.
    """

    def __init__(self, item: Found, limits: Limits = USUAL) -> None:
        self.path, self._copy = item.path, contextlib.ExitStack()
        if url := item.url:
            folder = scratch.new_folder()
            remove = functools.partial(shutil.rmtree, folder, ignore_errors=True)
            self._copy.callback(remove)
            self._copy.enter_context(stopping.before_leaving(remove))
            weakref.finalize(self, self._copy.close)
            # The place of the object, as notes on the file name it.
            self.path = folder.joinpath(*(part.replace(":", "") for part in url.name.parts))
            self.path.parent.mkdir(parents=True)
            with store.failures(url):
                told = _limited(url, folder, limits)
                store.opened(url).get_file(store.place_of(url), str(self.path), callback=told)

    def remove(self) -> None:
        """Remove the copy now, if it is one."""
        self._copy.close()


def _limited(url: Url, folder: Path, limits: Limits) -> Any:
    """Return what a store tells the size of an object, and each part that was copied into a folder.

    It ends the copy by an error: what a server sends may have no end, and need not be what it told.
    """
    from fsspec.callbacks import Callback

    class Told(Callback):  # type: ignore[misc]
        # Bytes and time at the start of a period.
        start = 0, time.monotonic()

        def set_size(self, size: int | None) -> None:
            super().set_size(size)
            limits.check_copy(url.shown, size or 0)
            if (size or 0) > shutil.disk_usage(folder).free:
                raise store.no_room(url)

        def relative_update(self, inc: int = 1) -> None:
            super().relative_update(inc)
            limits.check_copy(url.shown, self.value)
            (began, since), now = self.start, time.monotonic()
            if now - since >= PERIOD_S:
                if self.value - began < LEAST_BYTES:
                    raise ImageError(
                        f"{url.shown}: comes at less than 1 kB a second; check the network, and run again"
                    )
                self.start = self.value, now

    return Told()
