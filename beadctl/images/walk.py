"""The walk through files, folders and stores, by which a search comes across images."""

import contextlib
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePath, PurePosixPath
from typing import NoReturn

from beadctl import store
from beadctl.errors import ImageError
from beadctl.images import extra
from beadctl.images.companions import RESULTS_MARK, Results
from beadctl.images.found import Found
from beadctl.images.search_result import IMAGE_SUFFIXES, OTHER_FORMATS, Search
from beadctl.printable import printable
from beadctl.url import Url

# What an entry of a folder is; the last is never opened.
_FOLDER, _FILE, _PIPE = "folder", "file", "pipe or device"
# A picture that is a folder.
_ZARR = ".zarr"


class Walk:
    """A search: what it skips, and what it has come across.

    Attributes
    ----------
    given : set of Path
        Files that are an input themselves.
    others, made, again : Counter of str, list of Path and list of Path
        As in `Search`.
    """

    def __init__(
        self, exclude: Sequence[Path], suffixes: Sequence[str] | None = None, *, recursive: bool = True
    ) -> None:
        self._excluded = [real_path(path) for path in exclude]
        self._what, self._recursive = "images" if suffixes is None else "annotations", recursive
        self._suffixes = (*IMAGE_SUFFIXES, *filter(extra.is_installed, extra.PACKAGES))
        if suffixes is not None:
            self._suffixes = tuple(suffixes)
        self.given: set[Path] = set()
        self.others: Counter[str] = Counter()
        self.made: list[Path] = []
        self.again: list[Path] = []

    def found(
        self,
        inputs: Iterable[tuple[Path | Url, PurePosixPath]],
        has: Callable[[PurePosixPath], bool] = lambda _: True,
    ) -> list[Found]:
        """Return the images in files, each with the name it is given, and folders.

        Of the names of one file the first that `has` keeps is taken, or else the first.
        """
        found: dict[str, Found] = {}
        try:
            for place, name in inputs:
                if isinstance(place, Url):
                    _add(found, self._in_store(place))
                    continue
                for image in self._below(place, name):
                    self._add(found, image, has)
            return _named_apart(list(found.values()))
        except OSError as error:
            fault = error.strerror or error
            raise ImageError(f"{error.filename}: cannot be read ({fault}); check its permissions") from None

    def _add(self, found: dict[str, Found], image: Found, has: Callable[[PurePosixPath], bool]) -> None:
        """Add an image to those that were found, by their real paths."""
        real = str(real_path(image.path))
        other = found.setdefault(real, image)
        if other is image or _absolute(other.path) == _absolute(image.path):
            return
        if has(image.name) and not has(other.name):
            found[real], image = image, other
        if has(image.name):
            self.again.append(image.path)

    def _below(self, path: Path, name: PurePosixPath) -> list[Found]:
        if not path.exists():
            raise ImageError(f"{path}: no such file or folder; check the path")
        if not path.is_dir():
            self.given.add(path)
            return [Found(path, name)]
        root = path.resolve()
        # An excluded output folder may contain the input folder, which is searched nevertheless.
        skipped = {e for e in self._excluded if not root.is_relative_to(e)}
        images = [Found(p, PurePosixPath(p.relative_to(path).as_posix())) for p in self._files(path, skipped)]
        return images or self._refuse(str(path))

    def _in_store(self, url: Url) -> list[Found]:
        """Return the images at an address: an object, whether or not it is there, or those of a folder."""
        store.require(url)
        # Of what is named like an image nobody asks whether it is a folder: that would be a request for each.
        inside = None if url.name.suffix.lower() in self._suffixes else store.below(url)
        if inside is None:
            self.given.add((item := Found.of_url(url)).path)
            return [item]
        images, made = list[Found](), Results.among(inside)
        for place, size in sorted(inside.items(), key=lambda one: _natural_places(one[0])):
            parts = PurePosixPath(place).parts
            suffix = PurePosixPath(place).suffix.lower()
            # No hidden file: it would be missed in silence.
            if ".." in re.split(r"[/\\]", place) and suffix in self._suffixes:
                fault = f"holds {printable(place)}, which has a part .. and would lead out of the results"
                raise ImageError(f"{url.shown}: {fault}; take it out or rename it")
            if any(part.startswith(".") for part in parts) or (len(parts) > 1 and not self._recursive):
                continue
            if any(results.has(Path(place)) for results in made):
                self.made.append(Path(place))
            elif suffix in self._suffixes:
                images.append(Found.of_url(url.below(place), size))
            else:
                self.others[suffix or "without suffix"] += 1
        return images or self._refuse(url.shown)

    def _refuse(self, place: str) -> NoReturn:
        """Raise the error of a folder without images."""
        where = "in it and below" if self._recursive else "in it, not below (--no-recursive)"
        if PurePath(place).suffix.lower() == _ZARR:
            self.others[_ZARR] += 1
        others = Search((), others=self.others, made=tuple(self.made))
        reasons = others.unread() if self._what == "images" else []
        reasons += [others.left_out()] if self.made else []
        looked = f"looked for {' '.join(self._suffixes)} {where}"
        raise ImageError("; ".join([f"{place}: no {self._what}", looked, *reasons]))

    def _files(self, top: Path, skipped: set[Path]) -> Iterator[Path]:
        """Yield the images below a folder; there may be more levels than calls can be nested."""
        visited = {real_path(top)}
        levels = [self._level(top, skipped, (), is_top=True)]
        while levels:
            entry, within = next(levels[-1], (None, ()))
            if entry is None:
                levels.pop()
            elif within is None:
                yield entry
            elif self._recursive and (real := real_path(entry)) not in visited:
                # Links may form a cycle: each real folder is entered once.
                visited.add(real)
                levels.append(self._level(entry, skipped, within))
            elif self._recursive and not real_path(entry.parent).is_relative_to(real):
                self.again.append(entry)

    def _level(
        self, folder: Path, skipped: set[Path], around: tuple[Results, ...], *, is_top: bool = False
    ) -> Iterator[tuple[Path, tuple[Results, ...] | None]]:
        """Yield the images in a folder, with None, and the folders, with the results in which they lie."""
        try:
            entries = sorted(_entries(folder), key=lambda entry: _natural(entry[0]))
            results = Results.of(folder) if self._what == "images" else None
        except OSError:
            if is_top:
                raise
            # Taken for an image, so that it fails in the table and its images are not missed in silence.
            yield folder, None
            return
        around = (*around, results) if results else around
        for entry, kind in entries:
            suffix = entry.suffix.lower()
            is_folder = kind == _FOLDER and suffix != _ZARR
            is_image = kind == _FILE and suffix in self._suffixes
            if not (is_folder or is_image):
                # A run writes tables and records too, which nobody takes for images.
                if not around or suffix in (*OTHER_FORMATS, *extra.PACKAGES):
                    self.others[kind if kind == _PIPE else suffix or "without suffix"] += 1
                continue
            is_results = self._what != "images" and is_folder and (entry / RESULTS_MARK).exists()
            if real_path(entry) in skipped or is_results:
                continue
            if is_image and any(results.has(entry) for results in around):
                self.made.append(entry)
            else:
                yield entry, None if is_image else around


def _add(found: dict[str, Found], images: Iterable[Found]) -> None:
    """Add objects in stores to those that were found, each once."""
    for image in images:
        if found.setdefault(image.source, image).url != image.url:
            raise ImageError(
                f"{image.source}: given twice with different queries; give them in separate runs"
            )


def _entries(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the entries of a folder that are not hidden, and what each is."""
    for entry in folder.iterdir():
        if not entry.name.startswith("."):
            # Another process may remove it at any time.
            with contextlib.suppress(FileNotFoundError):
                yield entry, _kind(entry)


def _kind(entry: Path) -> str:
    mode = entry.lstat().st_mode
    if stat.S_ISLNK(mode):
        try:
            mode = entry.stat().st_mode
        except OSError:
            # A link that leads nowhere fails when it is opened, and is not missed in silence.
            return _FILE
    return _FOLDER if stat.S_ISDIR(mode) else _FILE if stat.S_ISREG(mode) else _PIPE


def real_path(path: Path) -> Path:
    """Return the path of the file itself; of a link to itself, which `resolve` refuses, its own."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path.absolute()


def _absolute(path: Path) -> str:
    return os.path.normpath(path.absolute())


def _named_apart(found: list[Found]) -> list[Found]:
    """Return images of which no two have one name: where some had, below the deepest folder of all."""
    if len({item.name for item in found}) == len(found):
        return found
    # Addresses are whole.
    files = [item for item in found if item.url is None]
    paths = {item.source: Path(os.path.normpath(item.source)) for item in files}
    try:
        base = Path(os.path.commonpath([path.parent for path in paths.values()]))
    except ValueError:  # On several drives.
        return found
    return [
        item if item.url else Found(item.path, PurePosixPath(paths[item.source].relative_to(base).as_posix()))
        for item in found
    ]


def _natural(path: PurePath) -> tuple[list[str | int], str]:
    """Sort key that compares runs of digits, which are every second part, as numbers."""
    parts = re.split(r"([0-9]+)", path.name.casefold())
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], path.name


def _natural_places(place: str) -> list[tuple[list[str | int], str]]:
    """Sort key of a place below a folder, by which files and folders are in the order of a search."""
    return [_natural(PurePosixPath(part)) for part in PurePosixPath(place).parts]
