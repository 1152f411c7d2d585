"""Files that are made of images: masks and overlays beside them, and what a run of beadctl wrote."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath

from beadctl.words import number_of

RESULTS_MARK = ".beadctl"
"""A folder that contains an entry of this name holds results of beadctl."""

PARTS = "parts"
"""Folder below the mark that has a file ``NAME.json`` for each image of which results were written."""

# What beadctl, Cellpose and ImageJ add to the name of an image for files that are made of it.
_ADDED_BEFORE = re.compile(r"(count masks|masks?|outlines|drawing|overlay) of ")
_ADDED_AFTER = re.compile(r"(_p\d{4})?_(cp_)?(masks?|labels?|outlines?|overlays?|flows|seg|rois)(?![a-z])")
# What a run of beadctl adds, after the number of a plane where there are several.
_ADDED_BY_RUN = re.compile(r"_(masks|overlay|crops|probability|pyramid)$")
_PLANE = re.compile(r"_p\d{4,}$")
_MASK_FOLDERS = {"masks", "mask", "labels", "overlays", "annotations"}


@dataclass(frozen=True)
class Results:
    """A folder of results.

    Attributes
    ----------
    folder : Path
        The folder.
    images : frozenset of PurePosixPath
        Images of which results were written, below the folder that was searched: their stems, in lower case.
    """

    folder: Path
    images: frozenset[PurePosixPath]

    @classmethod
    def of(cls, folder: Path) -> "Results | None":
        """Return the results in a folder, or None if it has no mark."""
        if not (folder / RESULTS_MARK).exists():
            return None
        parts = folder / RESULTS_MARK / PARTS
        return cls._with(folder, (path.relative_to(parts) for path in parts.rglob("*.json")))

    @classmethod
    def among(cls, places: Iterable[str]) -> "list[Results]":
        """Return the folders of results among objects in a store, by their places below an address."""
        found = dict[PurePosixPath, list[PurePosixPath]]()
        for place in map(PurePosixPath, places):
            if RESULTS_MARK in place.parts:
                at = place.parts.index(RESULTS_MARK)
                parts = found.setdefault(PurePosixPath(*place.parts[:at]), [])
                if place.parts[at + 1 : at + 2] == (PARTS,) and place.suffix == ".json":
                    parts.append(PurePosixPath(*place.parts[at + 2 :]))
        return [cls._with(Path(folder), parts) for folder, parts in found.items()]

    @classmethod
    def _with(cls, folder: Path, parts: Iterable[PurePath]) -> "Results":
        names = (part.with_suffix("") for part in parts)
        return cls(folder, frozenset(_place(name.parent, stem(PurePosixPath(name.name))) for name in names))

    def has(self, path: Path) -> bool:
        """Return whether a file below the folder has the place and the name of a result of its images."""
        if not path.is_relative_to(self.folder):
            return False
        _, *places = path.relative_to(self.folder).parts
        if not places:
            return False
        end = _ADDED_BY_RUN.search(name := stem(PurePosixPath(path.name)))
        if end is None:
            return False
        own = name[: end.start()]
        return any(_place(Path(*places[:-1]), one) in self.images for one in (own, _PLANE.sub("", own)))


def _place(folder: PurePath, name: str) -> PurePosixPath:
    return PurePosixPath(folder.as_posix().casefold()) / name


def stem(name: PurePosixPath) -> str:
    """Return the name of a file without its suffix, in lower case."""
    return name.stem.removesuffix(".ome").casefold()


def is_in_mask_folder(name: PurePosixPath) -> bool:
    """Return whether an image lies in a folder whose name says that it holds masks."""
    return not _MASK_FOLDERS.isdisjoint(part.casefold() for part in name.parts[:-1])


def is_label_image(name: PurePosixPath) -> bool:
    """Return whether the name of a file made of an image says that it is a label image or a mask."""
    own = stem(name)
    before = _ADDED_BEFORE.match(own)
    kinds = [before[1]] if before else [after[3] for after in _ADDED_AFTER.finditer(own)]
    return (
        any(word in kind for kind in kinds for word in ("mask", "label"))
        if kinds
        else is_in_mask_folder(name)
    )


def origins(name: PurePosixPath) -> set[str]:
    """Return the stems that an image may have of which this file was made."""
    own = stem(name)
    before = _ADDED_BEFORE.match(own)
    # ImageJ keeps the suffix of the image: "Mask of a.tif.tif".
    wholes = [own[before.end() :], PurePosixPath(own[before.end() :]).stem] if before else []
    wholes += [own[: after.start()] for after in _ADDED_AFTER.finditer(own)]
    return {*wholes, own} if is_in_mask_folder(name) else set(wholes)


def names_of(paths: Iterable[Path], most: int = 3) -> str:
    """Return the number of files and the names of some: ``2 files (a.tif, b.tif)``."""
    names = [path.name for path in paths]
    more = ", ..." if len(names) > most else ""
    return f"{number_of(len(names), 'file')} ({', '.join(names[:most])}{more})"


def named(what: str, paths: Iterable[Path], most: int = 3) -> str:
    """Return what files are, with their number and the names of some: ``masks, 2 files (a.tif, b.tif)``."""
    return f"{what}, {names_of(paths, most)}"
