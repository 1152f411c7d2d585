"""Search of files, folders and lists of files for images."""

import contextlib
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from beadctl.errors import ImageError
from beadctl.images import extra

IMAGE_SUFFIXES = (
    ".tif", ".tiff", ".btf", ".tf2", ".tf8", ".stk", ".lsm", ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif",
    ".webp", ".jp2", ".j2k", ".jpx", ".bmp",
)  # fmt: skip
"""Suffixes that are searched for in folders, in upper or lower case; with the extra ``formats``, also its."""

OTHER_FORMATS = (
    ".arw", ".avi", ".avif", ".cr2", ".cr3", ".dcm", ".dm3", ".dm4", ".dng", ".dv", ".fits", ".flex", ".gel",
    ".h5", ".heic", ".ims", ".ipl", ".jxl", ".lof", ".mov", ".mp4", ".mrc", ".mvd2", ".ndpi", ".nef", ".oib",
    ".oif", ".oir", ".psd", ".qptiff", ".r3d", ".scn", ".sld", ".sldy", ".svs", ".vsi", ".xlef", ".zarr",
    ".zvi",
)  # fmt: skip
"""Suffixes of pictures and movies that must be exported as OME-TIFF."""

RESULTS_MARK = ".beadctl"
"""A folder that contains an entry of this name holds results, which are not searched for images."""

# What beadctl, Cellpose and ImageJ add to the name of an image for files that are made of it.
_ADDED_BEFORE = re.compile(r"(count masks|masks?|outlines|drawing|overlay) of ")
_ADDED_AFTER = re.compile(r"(_p\d{4})?_(cp_)?(masks?|labels?|outlines?|overlays?|flows|seg|rois)(?![a-z])")
_MASK_FOLDERS = {"masks", "mask", "labels", "overlays", "annotations"}
_EXAMPLES, _MOST_KINDS = 3, 12


@dataclass(frozen=True, slots=True)
class Found:
    """An image file.

    Attributes
    ----------
    path : Path
        The file.
    name : PurePosixPath
        Path relative to the searched folder; the file name alone for an input that is a file; for a list of
        files, their path below the working folder, or below the folder that holds them all.
    """

    path: Path
    name: PurePosixPath


@dataclass(frozen=True)
class Selection:
    """Which files are used.

    Attributes
    ----------
    include, exclude : tuple of str
        Patterns such as ``*.tif`` or ``day1/*`` on a file's name, or on its path below the searched folder;
        upper and lower case are equal. A file must match one of `include`, if there is any, and none of
        `exclude`, which also leaves out folders.
    recursive : bool
        Search the folders in a folder.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    recursive: bool = True

    def has(self, name: PurePosixPath) -> bool:
        """Return whether a file of this path below the searched folder is used."""
        return (not self.include or _matches(name, self.include)) and not any(
            _matches(part, self.exclude) for part in (name, *name.parents[:-1])
        )


@dataclass(frozen=True)
class Search:
    """The images in files and folders, and what else lies there.

    Attributes
    ----------
    images : tuple of Found
        In the order of the inputs, each once.
    companions : tuple of Path
        Masks and overlays of these images, which are left out.
    others : Counter of str
        Number of the other files in folders, by their suffix in lower case.
    """

    images: tuple[Found, ...]
    companions: tuple[Path, ...] = ()
    others: Counter[str] = field(default_factory=Counter)

    def notes(self) -> Iterator[tuple[bool, str]]:
        """Yield what is left out, as (is a warning, a line)."""
        if self.companions:
            names = ", ".join(path.name for path in self.companions[:_EXAMPLES])
            more = ", ..." if len(self.companions) > _EXAMPLES else ""
            what = f"{len(self.companions)} masks or overlays of these images"
            yield True, f"left out: {what} ({names}{more}); to use them, give the files themselves"
        for line in self.unread():
            yield True, line
        if rest := _kinds(self.others, known=False):
            yield False, f"left out, no images: {rest}"

    def unread(self) -> list[str]:
        """Return lines on pictures in formats that are not read, with what to do."""
        lines = [
            f"{count} {extra.kind(suffix)} files are not read: {extra.REMEDY}"
            for suffix, count in sorted(self.others.items())
            if suffix in extra.PACKAGES
        ]
        kinds = _kinds(self.others, known=True)
        return [*lines, f"not read: {kinds}; export them as OME-TIFF"] if kinds else lines


def find(
    inputs: Sequence[Path], exclude: Sequence[Path] = (), *, suffixes: Sequence[str] | None = None
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
    suffixes : sequence of str, optional
        To search for in folders, lower case; by default those of images.

    Raises
    ------
    ImageError
        If a path is missing or unreadable, or a folder contains no image.
    """
    return list(survey(inputs, exclude, suffixes=suffixes).images)


def survey(
    inputs: Sequence[Path], exclude: Sequence[Path] = (), *, suffixes: Sequence[str] | None = None
) -> Search:
    """Return what `find` returns, and the other files in the folders; parameters and errors are the same."""
    walk = _Walk(exclude, suffixes)
    images = walk.found((path, PurePosixPath(path.name)) for path in inputs)
    return Search(tuple(images), others=walk.others)


def search(inputs: Sequence[Path], exclude: Sequence[Path], selection: Selection) -> Search:
    """Return the images in files, folders and lists of files, without masks and overlays beside them.

    Parameters and errors are those of `find`, with two more kinds of input: ``@FILE``, a file with one path a
    line (or ended by NUL, as ``find -print0`` writes them), and ``-``, such lines on standard input. A file
    that is an input itself is never left out as a mask or overlay.
    """
    walk = _Walk(exclude, recursive=selection.recursive)
    images = walk.found(_expanded(inputs))
    stems = {_stem(item.name) for item in images if not _is_in_mask_folder(item)}
    chosen = [item for item in images if selection.has(item.name)]
    companions = tuple(
        item.path for item in chosen if item.path not in walk.given and not stems.isdisjoint(_origins(item))
    )
    left_out = set(companions)
    kept = tuple(item for item in chosen if item.path not in left_out)
    if not kept:
        raise ImageError(f"none of {len(images)} images is left by --include and --exclude; change them")
    return Search(kept, companions, walk.others)


class _Walk:
    """A search: what it skips, and what it has come across.

    Attributes
    ----------
    given : set of Path
        Files that are an input themselves.
    others : Counter of str
        As in `Search`.
    """

    def __init__(
        self, exclude: Sequence[Path], suffixes: Sequence[str] | None = None, *, recursive: bool = True
    ) -> None:
        self._excluded = [path.resolve() for path in exclude]
        self._what, self._recursive = "images" if suffixes is None else "annotations", recursive
        self._suffixes = (*IMAGE_SUFFIXES, *filter(extra.is_installed, extra.PACKAGES))
        if suffixes is not None:
            self._suffixes = tuple(suffixes)
        self.given: set[Path] = set()
        self.others: Counter[str] = Counter()

    def found(self, inputs: Iterable[tuple[Path, PurePosixPath]]) -> list[Found]:
        """Return the images in files, each with the name it is given, and folders."""
        found: dict[Path, Found] = {}
        for path, name in inputs:
            for image in self._below(path, name):
                found.setdefault(_real(image.path), image)
        return _named_apart(list(found.values()))

    def _below(self, path: Path, name: PurePosixPath) -> list[Found]:
        try:
            if not path.exists():
                raise ImageError(f"{path}: no such file or folder; check the path")
            if not path.is_dir():
                self.given.add(path)
                return [Found(path, name)]
            root = path.resolve()
            # An excluded output folder may contain the input folder, which is searched nevertheless.
            skipped = {e for e in self._excluded if not root.is_relative_to(e)}
            images = [
                Found(p, PurePosixPath(p.relative_to(path).as_posix()))
                for p in self._files(path, skipped, {root})
            ]
        except OSError as error:
            place, fault = error.filename or path, error.strerror or error
            raise ImageError(f"{place}: cannot be read ({fault}); check its permissions") from None
        if not images:
            where = "in it and below" if self._recursive else "in it, not below (--no-recursive)"
            unread = Search((), others=self.others).unread() if self._what == "images" else []
            looked = f"looked for {' '.join(self._suffixes)} {where}"
            raise ImageError("; ".join([f"{path}: no {self._what}", looked, *unread]))
        return images

    def _files(self, folder: Path, skipped: set[Path], visited: set[Path]) -> Iterator[Path]:
        try:
            entries = sorted(folder.iterdir(), key=_natural)
        except OSError:
            if len(visited) == 1:
                raise
            # Taken for an image, so that it fails in the table and its images are not missed in silence.
            yield folder
            return
        for entry in entries:
            suffix = entry.suffix.lower()
            is_folder = entry.is_dir() and suffix != ".zarr"
            # An image that a broken link names fails when it is opened, and is not missed in silence.
            is_file = entry.is_file() or (entry.is_symlink() and not entry.exists())
            is_image = suffix in self._suffixes and not is_folder and is_file
            if entry.name.startswith("."):
                continue
            if not (is_folder or is_image):
                readable = is_file or entry.is_dir()
                self.others[(suffix or "without suffix") if readable else "pipe or device"] += 1
                continue
            real = _real(entry)
            if real in skipped or (is_folder and (entry / RESULTS_MARK).exists()):
                continue
            if is_image:
                yield entry
            elif self._recursive and real not in visited:
                # Links may form a cycle: each real folder is entered once.
                visited.add(real)
                yield from self._files(entry, skipped, visited)


def _real(path: Path) -> Path:
    """Return the path of the file itself; of a link to itself, which `resolve` refuses, its own."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path.absolute()


def _named_apart(found: list[Found]) -> list[Found]:
    """Return images of which no two have one name: where some had, below the deepest folder of all."""
    if len({item.name for item in found}) == len(found):
        return found
    paths = [Path(os.path.normpath(item.path.absolute())) for item in found]
    try:
        base = Path(os.path.commonpath([path.parent for path in paths]))
    except ValueError:  # On several drives.
        return found
    return [
        Found(item.path, PurePosixPath(path.relative_to(base).as_posix()))
        for item, path in zip(found, paths, strict=True)
    ]


def _expanded(inputs: Iterable[Path]) -> Iterator[tuple[Path, PurePosixPath]]:
    """Yield each input with its name; a list of files gives the paths that it holds."""
    for path in inputs:
        if str(path) == "-":
            yield from _listed("standard input", sys.stdin.buffer.read())
        elif str(path).startswith("@") and not path.exists():
            source = Path(str(path)[1:])
            try:
                yield from _listed(str(source), source.read_bytes())
            except OSError as error:
                raise ImageError(f"{source}: cannot be read ({error.strerror}); check the list") from None
        else:
            yield path, PurePosixPath(path.name)


def _listed(source: str, content: bytes) -> Iterator[tuple[Path, PurePosixPath]]:
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


def _matches(name: PurePosixPath, patterns: Iterable[str]) -> bool:
    texts = str(name).casefold(), name.name.casefold()
    return any(fnmatchcase(text, pattern.casefold()) for pattern in patterns for text in texts)


def _stem(name: PurePosixPath) -> str:
    return name.stem.removesuffix(".ome").casefold()


def _is_in_mask_folder(item: Found) -> bool:
    return not _MASK_FOLDERS.isdisjoint(part.casefold() for part in item.name.parts[:-1])


def _origins(item: Found) -> set[str]:
    """Return the stems that an image may have of which this file was made."""
    stem = _stem(item.name)
    before = _ADDED_BEFORE.match(stem)
    # ImageJ keeps the suffix of the image: "Mask of a.tif.tif".
    wholes = [stem[before.end() :], PurePosixPath(stem[before.end() :]).stem] if before else []
    wholes += [stem[: after.start()] for after in _ADDED_AFTER.finditer(stem)]
    return {*wholes, stem} if _is_in_mask_folder(item) else set(wholes)


def _kinds(others: Counter[str], *, known: bool) -> str:
    """Return the number of files of each kind, of those in `OTHER_FORMATS` or of those that are no images."""
    kinds = [
        (suffix, count)
        for suffix, count in sorted(others.items())
        if (suffix in OTHER_FORMATS) == known and suffix not in extra.PACKAGES
    ]
    shown = ", ".join(f"{count} {suffix}" for suffix, count in kinds[:_MOST_KINDS])
    return f"{shown}, ..." if len(kinds) > _MOST_KINDS else shown


def _natural(path: Path) -> tuple[list[str | int], str]:
    """Sort key that compares runs of digits, which are every second part, as numbers."""
    parts = re.split(r"([0-9]+)", path.name.casefold())
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], path.name
