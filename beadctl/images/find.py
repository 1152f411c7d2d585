"""The images below the paths that somebody named."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from beadctl.errors import ImageError

IMAGE_SUFFIXES = (".tif", ".tiff", ".btf", ".tf8", ".png", ".jpg", ".jpeg", ".bmp")
"""Names that are looked for in folders, in any case; ``.ome.tif`` ends with the first."""

RESULTS_MARK = ".beadctl"
"""A folder that holds this one holds results: its label images and overlays are nobody's input."""


@dataclass(frozen=True, slots=True)
class Found:
    """An image that was found.

    Attributes
    ----------
    path : Path
        The file.
    name : PurePosixPath
        Its path below the folder it was found under, or its file name alone if it was named.
    """

    path: Path
    name: PurePosixPath


def find(
    inputs: Sequence[Path], exclude: Sequence[Path] = (), *, suffixes: Sequence[str] = IMAGE_SUFFIXES
) -> list[Found]:
    """Find the images in files and folders.

    Folders are searched with all that lies below them, in natural order (``a2`` before ``a10``).
    Hidden files and folders are skipped, and so are folders of results unless they are named. A file
    that is named is taken whatever its suffix.

    Parameters
    ----------
    inputs : sequence of Path
        Files and folders.
    exclude : sequence of Path
        Nothing at or below these is found, unless an input lies there itself.
    suffixes : sequence of str
        Names that are looked for in folders.

    Returns
    -------
    list of Found
        Each file once, in the order of `inputs`.

    Raises
    ------
    ImageError
        If a path is missing or unreadable, or a folder holds no image.
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
        here = path.resolve()
        # An output folder above the input must not hide the input.
        skipped = {e for e in excluded if not here.is_relative_to(e)}
        images = [
            Found(p, PurePosixPath(p.relative_to(path).as_posix()))
            for p in _walk(path, skipped, {here}, suffixes)
        ]
    except OSError as error:
        where = error.filename or path
        raise ImageError(
            f"{where}: cannot be read ({error.strerror or error}); check its permissions"
        ) from None
    if not images:
        what = "images" if suffixes == IMAGE_SUFFIXES else "annotations"
        raise ImageError(f"{path}: no {what}; looked for {' '.join(suffixes)} in it and below")
    return images


def _walk(folder: Path, skipped: set[Path], visited: set[Path], suffixes: Sequence[str]) -> Iterator[Path]:
    for entry in sorted(folder.iterdir(), key=_natural):
        is_folder = entry.is_dir()
        is_image = entry.suffix.lower() in suffixes and not is_folder and entry.is_file()
        # What is neither may be a link to itself, which cannot be resolved.
        if entry.name.startswith(".") or not (is_folder or is_image):
            continue
        real = entry.resolve()
        if real in skipped or (is_folder and (entry / RESULTS_MARK).exists()):
            continue
        if is_image:
            yield entry
        elif real not in visited:
            # Links may lead in a circle: each real folder is entered once.
            visited.add(real)
            yield from _walk(entry, skipped, visited, suffixes)


def _natural(path: Path) -> tuple[list[str | int], str]:
    """Key that compares runs of digits as numbers; they are every second part, so types agree."""
    parts = re.split(r"([0-9]+)", path.name.casefold())
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], path.name
