"""Stores that fsspec reaches: what lies below an address, copies from and to it, and errors that name it.

Nothing is asked of a store that the user did not name. The messages of stores may hold a signature, so they
are not shown.
"""

import contextlib
import errno
import functools
import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from beadctl.errors import BeadctlError, ImageError, MissingExtraError, OutputError
from beadctl.url import ARCHIVE, WEB, Url

# Longest time without a byte from a web server, whose answer may take twice that to begin; those of other
# stores are set by their packages.
TIMEOUT_S = 60.0
DENIED = (401, 403)
GONE = (404, 410)
FULL = (errno.ENOSPC, errno.EDQUOT)
# How to get the package that a store needs; of other stores fsspec names the package alone.
REMEDIES = {
    **dict.fromkeys(("s3", "s3a"), "pip install s3fs"),
    **dict.fromkeys(("gs", "gcs"), "pip install gcsfs"),
    **dict.fromkeys(WEB, 'pip install "beadctl[remote]"'),
}
# Stores in which an object appears whole or not at all, and is replaced at once; the last is of this process.
WHOLE = ("s3", "s3a", "gs", "gcs", "memory")
# Of the name of an object with the folders around it, in UTF-8.
MOST_BYTES = 1024
# Objects that are copied at once, and bytes of one that are in memory.
BATCH, PIECE_BYTES = 500, 2**20


def require(url: Url) -> None:
    """Refuse an address whose kind of store is unknown or not read, or needs a package that lacks.

    Raises
    ------
    ImageError, MissingExtraError
        Names what to do.
    """
    import fsspec

    try:
        kind = fsspec.get_filesystem_class(url.scheme)
    except ImportError as error:
        remedy = f" ({REMEDIES[url.scheme]})" if url.scheme in REMEDIES else ""
        raise MissingExtraError(f"{url.shown}: {error}{remedy}") from None
    except ValueError:
        raise ImageError(
            f"{url.shown}: no kind of store is named {url.scheme}; use s3, https or zip"
        ) from None
    # Threads share a store, and the connection to a host, such as that of FTP, serves one at a time.
    if "host" in kind._get_kwargs_from_urls(url.text):
        raise ImageError(f"{url.shown}: {url.scheme} servers are not read; copy the files, or use https")
    if url.archive and not url.archive.file:
        require(url.archive)


def below(url: Url) -> dict[str, int] | None:
    """Return the objects below an address by their places, with their bytes; None if it is one itself.

    A web server has no folders: what is not named is not looked for.

    Raises
    ------
    ImageError
        If there is nothing at the address, it cannot be reached, or access to it is denied.
    """
    if url.scheme in WEB:
        if url.rest.endswith("/") or "/" not in url.rest:
            words = "a folder of a web server, whose files are not listed; name them, as in a list @FILE"
            raise ImageError(f"{url.shown}: {words}")
        return None
    # An archive may have changed since another run of this process.
    forget()
    with failures(url):
        store, place = opened(url), place_of(url)
        if store.info(place)["type"] != "directory":
            return None
        objects = store.find(place, detail=True)
    start = len(place.strip("/")) + 1 if place.strip("/") else 0
    return {name.strip("/")[start:]: int(facts.get("size") or 0) for name, facts in objects.items()}


def opened(url: Url) -> Any:
    """Return the file system of an address, to be used within `failures`."""
    return _store(url.scheme, url.archive)


def forget() -> None:
    """Have archives and web servers opened anew."""
    _store.cache_clear()


def place_of(url: Url) -> str:
    """Return an address as its file system takes it."""
    from fsspec.core import strip_protocol

    return url.rest if url.archive else str(strip_protocol(url.text))


@functools.lru_cache(maxsize=8)
def _store(scheme: str, archive: Url | None, **others: Any) -> Any:
    """Return the file system of addresses; an archive is kept open, as its list of members may be long."""
    import fsspec

    if archive:
        target = {"target_protocol": archive.scheme, "target_options": _options(archive.scheme)}
        return fsspec.filesystem(scheme, fo=archive.text, **target)
    return fsspec.filesystem(scheme, **_options(scheme), **others)


def _options(scheme: str) -> dict[str, Any]:
    """Return options of a web server: a time-out, proxies and the password of a host as the user set them."""
    if scheme not in WEB:
        return {}
    import aiohttp
    from fsspec.config import conf

    timeout = aiohttp.ClientTimeout(total=None, sock_connect=TIMEOUT_S, sock_read=TIMEOUT_S)
    own = conf.get(scheme, {}).get("client_kwargs", {})
    return {"client_kwargs": {"timeout": timeout, "trust_env": True, "middlewares": (_answered,), **own}}


async def _answered(request: Any, handler: Any) -> Any:
    """Limit the time until the headers of an answer are there, which may come a byte at a time."""
    import asyncio

    return await asyncio.wait_for(handler(request), 2 * TIMEOUT_S)


@contextlib.contextmanager
def failures(url: Url, kind: type[BeadctlError] = ImageError) -> Iterator[None]:
    """Context that turns every failure of a store into an error of a kind that names the address."""
    try:
        yield
    except BeadctlError:
        raise
    except Exception as error:
        raise _described(url, error, kind) from None


def no_room(url: Url) -> OutputError:
    """Return the error of a disk on which a copy of an object has no room."""
    return OutputError(f"{tempfile.gettempdir()}: no room for a copy of {url.shown}; set TMPDIR")


def _described(url: Url, error: Exception, kind: type[BeadctlError]) -> BeadctlError:
    name, status = type(error).__name__, getattr(error, "status", None)
    if isinstance(error, ImportError):
        return MissingExtraError(f"{url.shown}: {error}")
    if isinstance(error, OSError) and error.errno in FULL:
        return no_room(url)
    if isinstance(error, FileNotFoundError) or status in GONE:
        fault = "no such object, folder or bucket; check the address"
    elif isinstance(error, PermissionError) or status in DENIED or "Credentials" in name:
        fault = "access denied; check your credentials and the rights of the object"
    elif isinstance(error, TimeoutError) or "Timeout" in name:
        fault = "no answer in time; check the network, and run again"
    elif status:
        fault = f"the server answers with status {status}; run again later"
    elif isinstance(error, OSError) or "Connect" in name:
        fault = f"cannot be reached ({getattr(error, 'strerror', None) or name}); check the network"
    elif url.scheme == ARCHIVE:
        fault = f"the archive cannot be read ({name}); copy it again"
    else:
        fault = f"cannot be used ({name}); check the address"
    return kind(f"{url.shown}: {fault}")


class StoreFolder:
    """A folder in a store in which each object appears whole or not at all.

    Parameters
    ----------
    url : Url
        Its address; nothing need be there.

    Raises
    ------
    OutputError
        If objects of such a store cannot be replaced, or may be seen half-written.
    ImageError, MissingExtraError
        As `require`.
    """

    def __init__(self, url: Url) -> None:
        if url.scheme not in WHOLE:
            raise OutputError(
                f"{url.shown}: no place for results, as objects there cannot be replaced whole; give a "
                "folder, or s3://BUCKET/FOLDER or gs://BUCKET/FOLDER"
            )
        require(url)
        self.url = url
        self._top = place_of(url).rstrip("/")

    def takes(self, name: str) -> bool:
        """Return whether an object may have a name: it is text, and not too long."""
        try:
            return len(self._at(name).encode()) <= MOST_BYTES
        except UnicodeEncodeError:
            return False

    def sizes(self, below: str = "") -> dict[str, int]:
        """Return the bytes of all objects below a place, by their names below the folder.

        Errors are those of `get`.
        """
        with failures(self.url, OutputError):
            found = self._objects().find(f"{self._top}/{below}".rstrip("/"), detail=True)
        start = len(self._top) + 1
        return {name[start:]: int(facts.get("size") or 0) for name, facts in found.items() if name[start:]}

    def get(self, names: Sequence[str], folder: Path) -> None:
        """Copy objects to the same places in a folder on this computer, several at a time.

        Raises
        ------
        OutputError
            If the store cannot be reached, access is denied, or an object cannot be copied.
        """
        for some in _batches(names):
            files = [folder / name for name in some]
            for file in files:
                file.parent.mkdir(parents=True, exist_ok=True)
            with failures(self.url, OutputError):
                self._objects().get([self._at(name) for name in some], [str(file) for file in files])

    def put(self, names: Sequence[str], folder: Path) -> None:
        """Copy files of a folder to the same places in the store, several at a time.

        Errors are those of `get`.
        """
        for some in _batches(names):
            with failures(self.url, OutputError):
                self._objects().put([str(folder / name) for name in some], [self._at(name) for name in some])

    def remove(self, name: str) -> None:
        """Remove an object, if it is there; errors are those of `get`."""
        with failures(self.url, OutputError), contextlib.suppress(FileNotFoundError):
            self._objects().rm_file(self._at(name))

    def create(self, name: str, content: bytes) -> bool:
        """Make an object unless there is one, and return whether it was made; errors are those of `get`."""
        with failures(self.url, OutputError):
            try:
                self._objects().pipe_file(self._at(name), content, mode="create")
            except FileExistsError:
                return False
        return True

    def write(self, name: str, content: bytes) -> None:
        """Make or replace an object; errors are those of `get`."""
        with failures(self.url, OutputError):
            self._objects().pipe_file(self._at(name), content)

    def read(self, name: str) -> bytes | None:
        """Return the content of a small object, None if there is none; errors are those of `get`."""
        with failures(self.url, OutputError):
            try:
                content: bytes = self._objects().cat_file(self._at(name))
            except FileNotFoundError:
                return None
        return content

    def sha256(self, name: str) -> str:
        """Return the SHA-256 of an object's content as 64 hexadecimal digits; errors are those of `get`."""
        digest = hashlib.sha256()
        with failures(self.url, OutputError), self._objects().open(self._at(name), "rb") as file:
            while piece := file.read(PIECE_BYTES):
                digest.update(piece)
        return digest.hexdigest()

    def _objects(self) -> Any:
        # Other processes write there too, so what was listed before is asked for again.
        return _store(self.url.scheme, None, use_listings_cache=False)

    def _at(self, name: str) -> str:
        return f"{self._top}/{name}"


def _batches(names: Sequence[str]) -> Iterator[list[str]]:
    left = iter(names)
    while some := list(islice(left, BATCH)):
        yield some
