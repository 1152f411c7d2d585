"""Results at an address of a store: made in a folder of this computer, and sent there as they are done.

The folder is a temporary one. It gets the ledger's parts and the tables of earlier runs. What is made of an
image is sent when it is done, first its part of the ledger, as a run on a disk writes them, and is not kept
here. Tables and the record of the run are sent at its start and its end. So the folder holds no masks, a run
that was killed has sent what is done, and another one goes on with it.
"""

import contextlib
import functools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from beadctl import lock, scratch
from beadctl.console import Messages, fail, named_as, stopping
from beadctl.errors import BeadctlError, IncompleteError, OutputError
from beadctl.files import TEMPORARY, sha256
from beadctl.images import PARTS, RESULTS_MARK
from beadctl.results import ledger, shards, store_lock
from beadctl.results.block_store import folder_of as blocks_of
from beadctl.results.formats import Joinable, Output, format_of
from beadctl.results.record import RUN_FILES
from beadctl.results.written import Stamp, file_state
from beadctl.shard import Shard
from beadctl.store import StoreFolder
from beadctl.url import Url

RECORD = "run.json"
# Below this a disk counts as full.
FULL_BYTES = 2**20
NOT_SENT = (lock.NAME, "reserve")


class Stored:
    """The objects of results at an address, and the folder in which they are made.

    Parameters
    ----------
    folder : Path
        Folder of this computer.
    store : StoreFolder
        The address.
    check : callable
        Raises an `IncompleteError` if another process writes there: then nothing is sent.

    Raises
    ------
    OutputError
        If the store cannot be reached, or access to it is denied.
    """

    def __init__(self, folder: Path, store: StoreFolder, check: Callable[[], None]) -> None:
        self._folder, self._store, self._check = folder, store, check
        self._sizes = {name: size for name, size in store.sizes().items() if ".." not in name.split("/")}
        self._sent = dict[str, tuple[int, ...] | None]()
        self._brought: Path | None = None

    def fetch(self, parts: Iterable[PurePosixPath] | None, shard: Shard | None) -> None:
        """Copy what earlier runs left, but for masks and other outputs, into the folder.

        Parameters
        ----------
        parts : iterable of PurePosixPath, or None
            Images whose parts of the ledger are needed; None for all.
        shard : Shard or None
            That which is to be done, for which the lists of images of other shards are not needed.
        """
        hidden, of_shards = f"{RESULTS_MARK}/", f"{RESULTS_MARK}/{shards.FOLDER}/"
        own = f"{self._key(shards.folder_of(self._folder, shard))}/" if shard else of_shards
        blocks = f"{self._key(blocks_of(self._folder))}/"
        ledgers = f"{hidden}{PARTS}/"
        wanted = None if parts is None else {self._key(ledger.path_of(self._folder, name)) for name in parts}

        def is_needed(name: str) -> bool:
            place = PurePosixPath(name)
            if place.name in NOT_SENT or name.startswith(blocks):
                return False
            if name.startswith(ledgers):
                return wanted is None or name in wanted
            if name.startswith(of_shards):
                return name.startswith(own) or place.name == RECORD
            return name in RUN_FILES or name.startswith(hidden) or (shard is None and _is_joined(name))

        needed = list(filter(is_needed, self._sizes))
        self._store.get(needed, self._folder)
        self._sent = {
            name: file_state(self._folder / name)
            for name in needed
            if not (name.startswith(ledgers) or _is_of_image(name))
        }

    def takes(self, name: str) -> bool:
        """Return whether an object may have a name."""
        return self._store.takes(name)

    def has(self, name: str) -> bool:
        """Return whether there is an object of a name below the address."""
        return name in self._sizes

    def fits(self, stamp: Stamp, name: str) -> bool:
        """Return whether an object has the content of a stamp; it is read for that if it has its size."""
        return self._sizes.get(name) == stamp.size and self._store.sha256(name) == stamp.sha256

    def sha256(self, path: Path) -> str:
        """Return the SHA-256 of a file of the results, by its path in the folder.

        Raises
        ------
        FileNotFoundError
            If there is none.
        OutputError
            If it cannot be read.
        """
        if not path.is_relative_to(self._folder) or path.exists() or not self.has(self._key(path)):
            return sha256(path)
        return self._store.sha256(self._key(path))

    def bring(self, path: Path) -> None:
        """Copy an object to its path in the folder, if it is there; the one that was brought before goes."""
        if self._brought:
            self._brought.unlink(missing_ok=True)
            self._brought = None
        if not path.exists() and self.has(name := self._key(path)):
            self._store.get([name], self._folder)
            self._brought = path

    def keep(self, part: str, names: Sequence[str]) -> None:
        """Send the ledger's part of an image, then its outputs, of which none stays here that is not joined.

        Raises
        ------
        OutputError
            If the store does not take them.
        """
        self._check()
        for some in ([part], names):
            self._store.put(some, self._folder)
            for name in some:
                path = self._folder / name
                self._sizes[name] = path.stat().st_size
                if name != part and not _is_joined(name):
                    path.unlink()

    def discard(self, stamps: Mapping[str, Stamp]) -> None:
        """Remove objects of an earlier result, by their names; keep what was changed since."""
        for name, stamp in stamps.items():
            if self.fits(stamp, name):
                self._store.remove(name)
                del self._sizes[name]

    def sync(self) -> None:
        """Send what has changed of tables and records, and remove what is gone.

        The mark of results comes first, by which a rerun knows them, and the record of the run last.

        Raises
        ------
        OutputError
            If the store does not take it.
        """
        self._check()
        found = {name: state for name in self._of_the_run() if (state := file_state(self._folder / name))}
        # Cleaners of temporary folders remove what is old: that is not to be removed there too.
        mark = f"{RESULTS_MARK}/version"
        if self._sent and (not found or (mark in self._sent and mark not in found)):
            raise OutputError(f"{self._folder}: was removed during the run; run again")
        changed = [name for name, state in found.items() if state != self._sent.get(name)]
        records = [name for name in changed if PurePosixPath(name).name == RECORD]
        hidden = [name for name in changed if name.startswith(f"{RESULTS_MARK}/") and name not in records]
        self._store.put(hidden, self._folder)
        self._store.put([name for name in changed if name not in (*hidden, *records)], self._folder)
        for name in self._sent.keys() - found.keys():
            self._store.remove(name)
        self._store.put(records, self._folder)
        self._sent = dict(found)

    def _of_the_run(self) -> Iterator[str]:
        """Yield the names of the files in the folder that are not of one image."""
        yield from (name for name in RUN_FILES if (self._folder / name).is_file())
        hidden = self._folder / RESULTS_MARK
        left_out = (hidden / PARTS, blocks_of(self._folder))
        for place, folders, files in os.walk(hidden):
            folders[:] = [name for name in folders if Path(place, name) not in left_out]
            for name in files:
                if name not in NOT_SENT and not name.startswith(TEMPORARY):
                    yield self._key(Path(place, name))

    def _key(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix()


@contextlib.contextmanager
def opened(
    folder: Path,
    messages: Messages,
    *,
    parts: Iterable[PurePosixPath] | None = None,
    shard: Shard | None = None,
    writes: bool = True,
) -> Iterator[tuple[Path, Stored | None]]:
    """Yield a folder of results; for an address one of this computer, whose content is sent there.

    While the block lasts, messages and errors name the address instead of that folder.

    Parameters
    ----------
    folder : Path
        Folder of the results, or an address.
    messages : Messages
        Takes the message that another process may write there.
    parts, shard : iterable of PurePosixPath and Shard, or None
        As for `Stored.fetch`.
    writes : bool
        Whether results are written, which one process at a time does at an address, or in a shard of it.

    Raises
    ------
    OutputError
        If the store cannot be used for results, cannot be reached, or access to it is denied, or another
        process writes there.
    IncompleteError
        If it cannot be reached at the end.
    """
    url = Url.of(folder)
    if url is None or url.file:
        yield (url.file if url and url.file else folder), None
        return
    store = StoreFolder(url)
    with contextlib.ExitStack() as stack:
        own = stack.enter_context(_held(store, shard, messages)) if writes else None
        here = stack.enter_context(_folder(PurePosixPath(url.rest).name or "results"))
        stack.enter_context(_named(here, url))
        stored = Stored(here, store, own.check if own else lambda: None)
        stored.fetch(parts, shard)
        try:
            yield here, stored
        except BaseException as error:
            with stopping.finishing():
                try:
                    stored.sync()
                except OutputError as problem:
                    if str(problem) not in str(error):
                        fail(str(problem))
            raise
        with stopping.finishing():
            try:
                stored.sync()
            except OutputError as problem:
                raise IncompleteError(f"{problem}; run again to send the tables") from None


def _held(
    store: StoreFolder, shard: Shard | None, messages: Messages
) -> contextlib.AbstractContextManager[store_lock.Held]:
    """Hold the lock of an address against its shards, or that of a shard against the whole."""
    top = f"{RESULTS_MARK}/{shards.FOLDER}"
    if shard:
        name = shards.folder_of(Path(), shard).as_posix()
        return store_lock.held(store, f"{name}/{lock.NAME}", lambda: [lock.NAME], messages.info)

    def of_shards() -> list[str]:
        return [name for name in store.sizes(top) if PurePosixPath(name).name == lock.NAME]

    return store_lock.held(store, lock.NAME, of_shards, messages.info)


@contextlib.contextmanager
def _folder(name: str) -> Iterator[Path]:
    """Yield an empty folder of a name among the temporary files, which is removed at the end."""
    top = scratch.new_folder()
    remove = functools.partial(shutil.rmtree, top, ignore_errors=True)
    with contextlib.ExitStack() as stack:
        stack.callback(remove)
        stack.enter_context(stopping.before_leaving(remove))
        (folder := top.resolve() / name).mkdir()
        yield folder


@contextlib.contextmanager
def _named(folder: Path, url: Url) -> Iterator[None]:
    """Have messages and errors name an address instead of the folder."""
    with named_as(str(folder), url.shown):
        try:
            yield
        except BeadctlError as error:
            where = tempfile.gettempdir()
            full = shutil.disk_usage(where).free < FULL_BYTES
            remedy = f"; {where} is full: set TMPDIR" if full else ""
            error.args = (str(error).replace(str(folder), url.shown) + remedy,)
            raise


@functools.cache
def _folders(*, joined: bool) -> frozenset[str]:
    """Return the folders of outputs; of those alone that a run joins, whose parts are read again."""
    formats = [format_of(output) for output in Output]
    image = PurePosixPath("image.tif")
    return frozenset(
        one.paths(image, 1)[0].parts[0] for one in formats if not joined or isinstance(one, Joinable)
    )


def _is_of_image(name: str) -> bool:
    """Return whether a name is that of an output of an image."""
    return name not in RUN_FILES and PurePosixPath(name).parts[0] in _folders(joined=False)


def _is_joined(name: str) -> bool:
    return _is_of_image(name) and PurePosixPath(name).parts[0] in _folders(joined=True)
