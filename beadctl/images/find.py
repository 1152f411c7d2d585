"""Search of files and folders for images."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from beadctl.errors import ImageError

IMAGE_SUFFIXES = (".tif", ".tiff", ".btf", ".tf8", ".png", ".jpg", ".jpeg", ".bmp")
"""Suffixes that are searched for in folders, in upper or lower case."""

RESULTS_MARK = ".beadctl"
"""A folder that contains an entry of this name holds results, which are not searched for images."""


@dataclass(frozen=True, slots=True)
class Found:
    """An image file.

    Attributes
    ----------
    path : Path
        The file.
    name : PurePosixPath
        Path relative to the searched folder; the file name alone for an input that is a file.
    """

    path: Path
    name: PurePosixPath


def find(
    inputs: Sequence[Path], exclude: Sequence[Path] = (), *, suffixes: Sequence[str] = IMAGE_SUFFIXES
) -> list[Found]:
    """Return the images in files and folders, each file once, in the order of `inputs`.

    Folders are searched recursively in natural order (``a2`` before ``a10``). Hidden entries are skipped,
    and so are folders of results unless they are an input themselves.

    Parameters
    ----------
    inputs : sequence of Path
        Files, of any suffix, and folders.
    exclude : sequence of Path
        Files and folders to skip, unless an input is one of them or lies below one.
    suffixes : sequence of str
        To search for in folders, lower case.

    Raises
    ------
    ImageError
        If a path is missing or unreadable, or a folder contains no image.
    """
    found: dict[Path, Found] = {}
    excluded = [path.resolve() for path in exclude]
    for path in inputs:
        for image in _below(path, excluded, suffixes):
            found.setdefault(image.path.resolve(), image)
    return list(found.values())


def _below(path: Path, excluded: list[Path], suffixes: Sequence[str]) -> list[Found]:
    try:
        if not path.exists():
            raise ImageError(f"{path}: no such file or folder; check the path")
        if not path.is_dir():
            return [Found(path, PurePosixPath(path.name))]
        root = path.resolve()
        # An excluded output folder may contain the input folder, which is searched nevertheless.
        skipped = {e for e in excluded if not root.is_relative_to(e)}
        images = [
            Found(p, PurePosixPath(p.relative_to(path).as_posix()))
            for p in _walk(path, skipped, {root}, suffixes)
        ]
    except OSError as error:
        place, fault = error.filename or path, error.strerror or error
        raise ImageError(f"{place}: cannot be read ({fault}); check its permissions") from None
    if not images:
        kind = "images" if suffixes == IMAGE_SUFFIXES else "annotations"
        raise ImageError(f"{path}: no {kind}; looked for {' '.join(suffixes)} in it and below")
    return images


def _walk(folder: Path, skipped: set[Path], visited: set[Path], suffixes: Sequence[str]) -> Iterator[Path]:
    for entry in sorted(folder.iterdir(), key=_natural):
        is_folder = entry.is_dir()
        is_image = entry.suffix.lower() in suffixes and not is_folder and entry.is_file()
        # Any other entry may be a link to itself, which resolve() refuses.
        if entry.name.startswith(".") or not (is_folder or is_image):
            continue
        real = entry.resolve()
        if real in skipped or (is_folder and (entry / RESULTS_MARK).exists()):
            continue
        if is_image:
            yield entry
        elif real not in visited:
            # Links may form a cycle: each real folder is entered once.
            visited.add(real)
            yield from _walk(entry, skipped, visited, suffixes)


def _natural(path: Path) -> tuple[list[str | int], str]:
    """Sort key that compares runs of digits, which are every second part, as numbers."""
    parts = re.split(r"([0-9]+)", path.name.casefold())
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], path.name
