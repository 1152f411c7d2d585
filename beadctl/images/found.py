"""An image that a search has found: a file, or an object in a store."""

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from beadctl.url import Url


@dataclass(frozen=True, slots=True, init=False)
class Found:
    """An image file, or an object in a store.

    Parameters
    ----------
    path : Path
        The file.
    name : PurePosixPath
        Path relative to the searched folder; the file name alone for an input that is a file; for a list of
        files, their path below the working folder, or below the folder that holds them all; that of an
        object is `beadctl.url.Url.name`.
    url : Url, optional
        Address of an object; `path` then only stands for it.
    size : int, optional
        Bytes of an object, where the store has told them.
    """

    # Bytes take a quarter of the memory of paths, and a run may have a million of them.
    _path: bytes
    _name: bytes
    _url: bytes
    _size: int

    def __init__(self, path: Path, name: PurePosixPath, url: Url | None = None, size: int = 0) -> None:
        object.__setattr__(self, "_path", os.fsencode(path))
        object.__setattr__(self, "_name", os.fsencode(name))
        object.__setattr__(self, "_url", os.fsencode(url.text) if url else b"")
        object.__setattr__(self, "_size", size)

    @classmethod
    def of_url(cls, url: Url, size: int = 0) -> "Found":
        """Return an object in a store."""
        return cls(Path(url.name), url.name, url, size)

    @property
    def path(self) -> Path:
        """The file; `beadctl.images.remote.LocalFile` has that of an object."""
        return Path(os.fsdecode(self._path))

    @property
    def name(self) -> PurePosixPath:
        """Its name in the run."""
        return PurePosixPath(os.fsdecode(self._name))

    @property
    def url(self) -> Url | None:
        """Address of an object; None for a file."""
        return Url.parse(os.fsdecode(self._url)) if self._url else None

    @property
    def shown(self) -> str:
        """The path of a file as it was given, or the address of an object, for messages."""
        return url.shown if (url := self.url) else os.fsdecode(self._path)

    @property
    def source(self) -> str:
        """The absolute path of a file, or the address of an object, for records."""
        return url.shown if (url := self.url) else str(self.path.absolute())

    @property
    def size(self) -> int:
        """Bytes; 0 where they are unknown, as of a file that cannot be read."""
        if self._url:
            return self._size
        try:
            return self.path.stat().st_size
        except OSError:
            # It fails where it is opened.
            return 0
