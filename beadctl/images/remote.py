"""Objects in stores that fsspec reaches: those of a folder, and a copy of each while it is read.

Readers of image files need a file, so an object is copied to the folder of temporary files when it is opened,
and the copy is removed when its planes are done. Nothing is asked of a store that the user did not name.
"""

import contextlib
import errno
import functools
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from beadctl.console import stopping
from beadctl.errors import BeadctlError, ImageError, MissingExtraError, OutputError
from beadctl.images.found import Found
from beadctl.images.limits import Limits
from beadctl.url import ARCHIVE, WEB, Url

# Longest time without an answer or a byte from a web server; those of other stores are set by their packages.
TIMEOUT_S = 60.0
DENIED = (401, 403)
GONE = (404, 410)
USUAL = Limits()
FULL = (errno.ENOSPC, errno.EDQUOT)
# How to get a package that a store needs; that for the web is part of the extra.
REMEDIES = {"s3": "pip install s3fs", "s3a": "pip install s3fs", "gs": "pip install gcsfs"}


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
        If an object is missing, cannot be reached, access to it is denied, or it is beyond the limits.
    OutputError
        If there is no room for the copy.
    """

    def __init__(self, item: Found, limits: Limits = USUAL) -> None:
        self.path, self._copy = item.path, contextlib.ExitStack()
        if url := item.url:
            folder = _new_folder()
            remove = functools.partial(shutil.rmtree, folder, ignore_errors=True)
            self._copy.callback(remove)
            self._copy.enter_context(stopping.before_leaving(remove))
            weakref.finalize(self, self._copy.close)
            # The place of the object, as notes on the file name it.
            self.path = folder.joinpath(*(part.replace(":", "") for part in url.name.parts))
            self.path.parent.mkdir(parents=True)
            with _failures(url):
                store, told = _store(url.scheme, url.archive), _limited(url, folder, limits)
                store.get_file(_place(url), str(self.path), callback=told)

    def remove(self) -> None:
        """Remove the copy now, if it is one."""
        self._copy.close()


def require(url: Url) -> None:
    """Refuse an address whose kind of store is unknown or needs a package that is not installed.

    Raises
    ------
    ImageError, MissingExtraError
        Names what to do.
    """
    import fsspec

    try:
        fsspec.get_filesystem_class(url.scheme)
    except ImportError as error:
        remedy = REMEDIES.get(url.scheme, 'pip install "beadctl[remote]"')
        raise MissingExtraError(f"{url.shown}: {error} ({remedy})") from None
    except ValueError:
        raise ImageError(
            f"{url.shown}: no kind of store is named {url.scheme}; use s3, https or zip"
        ) from None
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
    _store.cache_clear()
    with _failures(url):
        store, place = _store(url.scheme, url.archive), _place(url)
        if store.info(place)["type"] != "directory":
            return None
        objects = store.find(place, detail=True)
    start = len(place.strip("/")) + 1 if place.strip("/") else 0
    return {name.strip("/")[start:]: int(facts.get("size") or 0) for name, facts in objects.items()}


def _limited(url: Url, folder: Path, limits: Limits) -> Any:
    """Return what a store tells the size of an object, and each part that was copied into a folder.

    It ends the copy by an error: what a server sends may have no end, and need not be what it told.
    """
    from fsspec.callbacks import Callback

    class Told(Callback):  # type: ignore[misc]
        def set_size(self, size: int | None) -> None:
            super().set_size(size)
            limits.check_copy(url.shown, size or 0)
            if (size or 0) > shutil.disk_usage(folder).free:
                raise _no_room(url)

        def relative_update(self, inc: int = 1) -> None:
            super().relative_update(inc)
            limits.check_copy(url.shown, self.value)

    return Told()


def _no_room(url: Url) -> OutputError:
    return OutputError(f"{tempfile.gettempdir()}: no room for a copy of {url.shown}; set TMPDIR")


def _place(url: Url) -> str:
    """Return an address as its file system takes it."""
    from fsspec.core import strip_protocol

    return url.rest if url.archive else str(strip_protocol(url.text))


@functools.lru_cache(maxsize=8)
def _store(scheme: str, archive: Url | None) -> Any:
    """Return the file system of addresses; an archive is kept open, as its list of members may be long."""
    import fsspec

    if archive:
        target = {"target_protocol": archive.scheme, "target_options": _options(archive.scheme)}
        return fsspec.filesystem(scheme, fo=archive.text, **target)
    return fsspec.filesystem(scheme, **_options(scheme))


def _options(scheme: str) -> dict[str, Any]:
    """Return options of a web server: a time-out, proxies and the password of a host as the user set them."""
    if scheme not in WEB:
        return {}
    import aiohttp
    from fsspec.config import conf

    timeout = aiohttp.ClientTimeout(total=None, sock_connect=TIMEOUT_S, sock_read=TIMEOUT_S)
    own = conf.get(scheme, {}).get("client_kwargs", {})
    return {"client_kwargs": {"timeout": timeout, "trust_env": True, **own}}


def _new_folder() -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="beadctl-"))
    except OSError as error:
        where = tempfile.gettempdir()
        raise OutputError(f"{where}: cannot be written ({error.strerror}); set TMPDIR") from None


@contextlib.contextmanager
def _failures(url: Url) -> Iterator[None]:
    """Context that turns every failure of a store into an error that names the address.

    The messages of stores may hold a signature, so they are not shown.
    """
    try:
        yield
    except BeadctlError:
        raise
    except Exception as error:
        raise _described(url, error) from None


def _described(url: Url, error: Exception) -> BeadctlError:
    name, status = type(error).__name__, getattr(error, "status", None)
    if isinstance(error, ImportError):
        return MissingExtraError(f"{url.shown}: {error}")
    if isinstance(error, OSError) and error.errno in FULL:
        return _no_room(url)
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
        fault = f"cannot be read ({name}); check the address"
    return ImageError(f"{url.shown}: {fault}")
