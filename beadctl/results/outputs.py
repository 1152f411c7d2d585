"""Where the files of a run go, and which of them may be written."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath

from beadctl.console import stopping
from beadctl.errors import OutputError
from beadctl.files import sha256
from beadctl.images import Found, Results, real_path
from beadctl.results import ledger
from beadctl.results.formats import Output, format_of, stem
from beadctl.results.ledger import Entry
from beadctl.results.stored import Stored
from beadctl.results.written import Stamp, discard
from beadctl.text import alike

DEFAULT_FOLDER = Path("segmented")
# Of a name, on nearly all file systems.
MOST_BYTES = 255
# What the name of a temporary file may be longer, and folders in each other that are made at once.
TEMPORARY_BYTES, MOST_PARTS = 64, 500
PLANE_NUMBER = re.compile(r"_p\d{4,}$")


@dataclass(frozen=True)
class Outputs:
    """Where results go.

    Attributes
    ----------
    folder : Path or None
        Folder of the results; None writes no file at all.
    save : tuple of Output
        What is written of each image beside the tables.
    overwrite : bool
        Replace results of an earlier run.
    stored : Stored, optional
        The address that the files of the folder go to; see `beadctl.results.stored`.
    """

    folder: Path | None = None
    save: tuple[Output, ...] = ()
    overwrite: bool = False
    stored: Stored | None = field(default=None, compare=False)

    @property
    def shared(self) -> Path | None:
        """The folder of the results, if other processes see what is in it."""
        return None if self.stored else self.folder

    def paths(self, output: Output, image: PurePosixPath, planes: int) -> list[Path]:
        """Return the files of one output of an image with so many planes."""
        return [self.folder / path for path in format_of(output).paths(image, planes) if self.folder]

    def all_paths(self, image: PurePosixPath, planes: int) -> list[Path]:
        """Return each file that an image with so many planes gives, label images last."""
        # Where they exist, everything of the image does.
        order = sorted(self.save, key=list(Output).index, reverse=True)
        return [path for output in order for path in self.paths(output, image, planes)]

    def key(self, path: Path) -> str:
        """Return an output file's path as the ledger has it."""
        assert self.folder is not None
        return path.relative_to(self.folder).as_posix()

    def in_the_way(self, image: PurePosixPath, planes: int) -> Path | None:
        """Return a file in the place of a folder of an image's results, or a folder in that of their record.

        Results keep the tree of the images: a folder of images may be named like a result of another image.
        """
        if self.folder is None:
            return None
        record = ledger.path_of(self.folder, image)
        if record.is_dir():
            return record
        if not any(parent.suffix for parent in image.parents):
            return None
        depth = len(image.parents)
        paths = (*self.all_paths(image, planes), record)
        return next((folder for path in paths for folder in path.parents[:depth] if folder.is_file()), None)

    def exists(self, path: Path) -> bool:
        """Return whether an output file is there."""
        return path.exists() or (self.stored is not None and self.stored.has(self.key(path)))

    def keep(self, image: PurePosixPath, paths: Sequence[Path] = ()) -> None:
        """Send the ledger's part of an image, and then its output files, to where they are kept."""
        if self.stored and self.folder:
            part = self.key(ledger.path_of(self.folder, image))
            self.stored.keep(part, [self.key(path) for path in paths])

    def sync(self) -> None:
        """Send tables and records to where they are kept."""
        if self.stored:
            self.stored.sync()

    def discard(self, stamps: Mapping[str, Stamp]) -> None:
        """Remove files of an earlier result; keep what was changed since."""
        if self.folder:
            discard(self.folder, stamps)
        if self.stored:
            self.stored.discard(stamps)

    def foreign(self, image: PurePosixPath, planes: int, entry: Entry | None) -> Path | None:
        """Return a file in the place of an image's output that is not as its entry says, if any."""
        written = entry.written if entry else {}
        if written is None:
            return None
        for path in self.all_paths(image, planes):
            stamp = written.get(self.key(path))
            if self.exists(path) and not (stamp and self._fits(stamp, path)):
                return path
        return None

    def _fits(self, stamp: Stamp, path: Path) -> bool:
        if self.stored and not path.exists():
            return self.stored.fits(stamp, self.key(path))
        return stamp.fits(path)


def is_short(image: PurePosixPath, outputs: Outputs) -> bool:
    """Return whether file systems, and the store, take the names and paths of an image's results."""
    if outputs.folder is None:
        return True
    paths = [*outputs.all_paths(image, 2), ledger.path_of(outputs.folder, image)]
    if outputs.stored and not all(outputs.stored.takes(outputs.key(path)) for path in paths):
        return False
    names = (len(os.fsencode(path.name)) for path in paths)
    wholes = (len(os.fsencode(path.absolute())) for path in paths)
    is_shallow = len(image.parts) <= MOST_PARTS
    return max(names) <= MOST_BYTES and max(wholes) < _path_bytes() - TEMPORARY_BYTES and is_shallow


@cache
def _path_bytes() -> int:
    """Return the length of a path that the system takes."""
    try:
        return os.pathconf("/", "PC_PATH_MAX")
    except (AttributeError, OSError, ValueError):
        # Windows, where it depends on settings.
        return 2**15


def check_outputs(found: Sequence[Found], key: str, outputs: Outputs) -> None:
    """Refuse, before any work, what would share a file or replace a result.

    Parameters
    ----------
    found, outputs : sequence of Found and Outputs
        The images, and where their results go.
    key : str
        Of the source of the beads; see `beadctl.results.sources.Source`.

    Raises
    ------
    OutputError
        If two images would write one file, an image is a result in the folder itself, or this holds results
        of another model or other settings, or files that no run of beadctl wrote.
    """
    found = [item for item in found if not _is_folder(item.path)]
    if outputs.save:
        _refuse_shared(found)
    if outputs.folder is None:
        return
    _refuse_folders(found, outputs)
    _refuse_own(found, outputs.folder)
    if outputs.overwrite:
        return
    for item in found:
        stopping.check()
        if not is_short(item.name, outputs):
            continue
        entry = ledger.read(outputs.folder, item.name)
        existing = [path for path in outputs.all_paths(item.name, 1) if outputs.exists(path)]
        if entry is None and existing:
            earlier = _namesake(item.name, outputs.folder)
            if earlier:
                remedy = f"use --overwrite if {item.name} is that image with a new name, else another -o"
                raise OutputError(f"{existing[0]}: is a result of {earlier}; {remedy}")
            raise OutputError(f"{existing[0]}: already exists; use --overwrite, or another -o")
        if entry is None or entry.result.failed:
            continue
        if not entry.key.startswith(key):
            raise OutputError(
                f"{outputs.folder}: holds the result of {item.name} from another model or other settings; "
                "use --overwrite, or another -o"
            )
        if entry.source != item.source and not _has_content(entry, item.path):
            raise OutputError(
                f"{outputs.folder}: holds the result of another {item.name}, {entry.source}; "
                "choose another -o for this one, or use --overwrite"
            )


def _namesake(image: PurePosixPath, folder: Path) -> PurePosixPath | None:
    """Return another image of an earlier run whose results have the names of those of this one, if any."""
    parts = ledger.path_of(folder, image).parent.glob("*.json")
    names = (image.with_name(part.stem) for part in parts)
    return next((name for name in names if name != image and stem(name) == stem(image)), None)


class Names:
    """The names that the results of images take, of which no two may be one.

    Parameters
    ----------
    is_there : callable
        Tells whether an image that has taken a name is still there; else another may take it.
    """

    def __init__(self, is_there: Callable[[Found], bool] = lambda _: True) -> None:
        self._is_there = is_there
        self._taken: dict[str, Found] = {}
        self._stacks: dict[str, Found] = {}

    def problem(self, item: Found) -> str | None:
        """Take the names of an image's results, or return why another image has them."""
        name = alike(str(item.name.parent / stem(item.name)))
        # Pictures of the planes of a stack a.tif are named like those of an image a_p0000.tif.
        stack = PLANE_NUMBER.sub("", name)
        other = self._owner(self._taken, name)
        if other and other != item:
            what = f"{stem(item.name)}_masks.tif; rename one, or give them in separate runs"
            return f"{other.shown} and {item.shown} would both write {what}"
        plane = self._owner(self._stacks, name)
        whole = self._owner(self._taken, stack) if stack != name else None
        if plane or whole:
            first, second = (whole, item) if whole else (item, plane)
            assert first
            assert second
            what = f"{stem(second.name)}_overlay.png; rename one, or give them in separate runs"
            return f"{first.shown} and {second.shown} may both write {what}"
        self._taken[name] = item
        if stack != name:
            self._stacks[stack] = item
        return None

    def _owner(self, names: Mapping[str, Found], name: str) -> Found | None:
        owner = names.get(name)
        return owner if owner and self._is_there(owner) else None


def _refuse_shared(found: Sequence[Found]) -> None:
    """Refuse images of which two may write one file."""
    names = Names()
    for item in found:
        if problem := names.problem(item):
            raise OutputError(problem)


def _refuse_folders(found: Sequence[Found], outputs: Outputs) -> None:
    """Refuse a folder of images that is named like a result of an image beside it: results keep the tree."""
    folders = {parent for item in found for parent in item.name.parents if parent.suffix}
    for item in found if folders else ():
        for path in (*outputs.all_paths(item.name, 1), ledger.path_of(Path(), item.name)):
            if (folder := item.name.with_name(path.name)) in folders:
                raise OutputError(
                    f"{item.path}: its result {path.name} has the name of the folder {folder}; rename one"
                )


def _refuse_own(found: Sequence[Found], folder: Path) -> None:
    """Refuse images that are results in the folder: their counts would be added to those that they show."""
    own = Results.of(real_path(folder))
    for item in found if own else ():
        path = real_path(item.path)
        if own and path.is_relative_to(own.folder) and own.has(path):
            raise OutputError(f"{item.path}: is itself a result in {folder}; choose another -o")


def _is_folder(path: Path) -> bool:
    """Return whether this is a folder that could not be searched, which gives no result."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _has_content(entry: Entry, path: Path) -> bool:
    """Return whether a file has the content of an entry; one that cannot be read fails later."""
    try:
        return entry.key.endswith(sha256(path))
    except OSError:
        return True
