"""Lists of files among the inputs: ``@FILE``, or ``-`` for standard input."""

import codecs
import contextlib
import errno
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

from beadctl.errors import ImageError
from beadctl.url import Url

Place = Path | Url


def expanded(inputs: Iterable[Path]) -> Iterator[tuple[Place, PurePosixPath]]:
    """Yield each input with its name; a list of files gives the paths and addresses that it holds."""
    for path in inputs:
        if str(path) == "-":
            yield from _listed("standard input", _standard_input)
        elif url := Url.of(path):
            yield _place(url)
        elif str(path).startswith("@") and not path.exists():
            source = Path(str(path)[1:])
            yield from _listed(str(source), source.read_bytes)
        else:
            yield path, PurePosixPath(path.name)


def _place(url: Url) -> tuple[Place, PurePosixPath]:
    """Return an address and its name; of a file on this machine the path and the file name."""
    return (file, PurePosixPath(file.name)) if (file := url.file) else (url, url.name)


def _standard_input() -> bytes:
    if sys.stdin is None:
        raise OSError(errno.EBADF, "it is closed")
    return sys.stdin.buffer.read()


def _listed(source: str, read: Callable[[], bytes]) -> Iterator[tuple[Place, PurePosixPath]]:
    try:
        content = read()
    except OSError as error:
        raise ImageError(f"{source}: cannot be read ({error.strerror}); check the list") from None
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        # As Windows PowerShell redirects into a file.
        content = content.decode("utf-16", "replace").encode()
    lines = content.split(b"\0") if b"\0" in content else content.removeprefix(codecs.BOM_UTF8).splitlines()
    texts = [os.fsdecode(line) for line in lines if line.strip()]
    if not texts:
        raise ImageError(f"{source}: names no file; write one path a line")
    places: list[Place] = [Url.parse(text) or Path(text) for text in texts]
    # Names are relative to the working folder, or to the deepest folder that holds all files.
    paths, base = [place for place in places if isinstance(place, Path)], Path.cwd()
    absolute = {path: Path(os.path.normpath(base / path)) for path in paths}
    if not all(path.is_relative_to(base) for path in absolute.values()):
        with contextlib.suppress(ValueError):
            base = Path(os.path.commonpath([path.parent for path in absolute.values()]))
    for place in places:
        if isinstance(place, Url):
            yield _place(place)
            continue
        whole = absolute[place]
        name = whole.relative_to(base).as_posix() if whole.is_relative_to(base) else place.name
        yield place, PurePosixPath(name)
