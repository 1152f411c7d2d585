"""Lists of files among the inputs: ``@FILE``, or ``-`` for standard input."""

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

from beadctl.errors import ImageError


def expanded(inputs: Iterable[Path]) -> Iterator[tuple[Path, PurePosixPath]]:
    """Yield each input with its name; a list of files gives the paths that it holds."""
    for path in inputs:
        if str(path) == "-":
            yield from _listed("standard input", _standard_input)
        elif str(path).startswith("@") and not path.exists():
            source = Path(str(path)[1:])
            yield from _listed(str(source), source.read_bytes)
        else:
            yield path, PurePosixPath(path.name)


def _standard_input() -> bytes:
    if sys.stdin is None:
        raise OSError(errno.EBADF, "it is closed")
    return sys.stdin.buffer.read()


def _listed(source: str, read: Callable[[], bytes]) -> Iterator[tuple[Path, PurePosixPath]]:
    try:
        content = read()
    except OSError as error:
        raise ImageError(f"{source}: cannot be read ({error.strerror}); check the list") from None
    lines = content.split(b"\0") if b"\0" in content else content.removeprefix(b"\xef\xbb\xbf").splitlines()
    paths = [Path(os.fsdecode(line)) for line in lines if line.strip()]
    if not paths:
        raise ImageError(f"{source}: names no file; write one path a line")
    # Names are relative to the working folder, or to the deepest folder that holds all files.
    absolute, base = [Path(os.path.normpath(Path.cwd() / path)) for path in paths], Path.cwd()
    if not all(path.is_relative_to(base) for path in absolute):
        with contextlib.suppress(ValueError):
            base = Path(os.path.commonpath([path.parent for path in absolute]))
    for path, whole in zip(paths, absolute, strict=True):
        name = whole.relative_to(base).as_posix() if whole.is_relative_to(base) else path.name
        yield path, PurePosixPath(name)
