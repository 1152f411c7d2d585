"""Sets of OME-TIFF files: which files the metadata name, which of them are not there, and who says so."""

import re
from dataclasses import dataclass
from html import unescape
from pathlib import Path

from tifffile import TiffFile

from beadctl.images.companions import names_of
from beadctl.images.plane import Absent

# Attribute of the root, and the name and the identifier of a file of the set.
_OWN = re.compile(r"<(?:\w+:)?OME\b[^>]*\bUUID=[\"']([^\"']*)")
_MEMBER = re.compile(r"<(?:\w+:)?UUID\b[^>]*\bFileName=[\"']([^\"']*)[\"'][^>]*>\s*([^<\s]*)")


@dataclass(frozen=True)
class OmeSet:
    """The other files that the metadata of an OME-TIFF file name.

    Attributes
    ----------
    path : Path
        The file itself.
    others : tuple of Path
        All of them, in the order of the metadata.
    lost : tuple of Path
        Those that are not there.
    tells : bool
        Whether planes that no file has are told of this file: no other file that is there comes before.
    is_renamed : bool
        Whether the metadata do not name the file itself: the others may be there by other names too.
    """

    path: Path
    others: tuple[Path, ...] = ()
    lost: tuple[Path, ...] = ()
    tells: bool = False
    is_renamed: bool = False

    @classmethod
    def of(cls, path: Path, tif: TiffFile, *, is_copy: bool = False) -> "OmeSet":
        """Return the set of the open file `tif` at `path`; an empty one if it has no OME metadata.

        Beside a copy of an object in a store there are no others, so none of them counts as lost.
        """
        xml = tif.ome_metadata or "" if tif.is_ome else ""
        # A file of several names is itself by its identifier, as it may have been renamed.
        own = found[1] if (found := _OWN.search(xml)) else ""
        names = {unescape(name): identifier for name, identifier in _MEMBER.findall(xml)}
        files = [path.parent / name for name, one in names.items() if one != own or name == path.name]
        others = tuple(file for file in files if file.name != path.name)
        if is_copy:
            return cls(path, others)
        lost = tuple(file for file in others if not file.is_file())
        first = next((file.name for file in files if file not in lost), "")
        return cls(path, others, lost, first == path.name, path.name not in names)

    @property
    def absent(self) -> Absent | None:
        """The planes of this file that no file has; None if another file tells of them."""
        if not self.tells or not self.others:
            return None
        words = f"its set lacks {names_of(self.lost)}; copy what is missing to its folder"
        fault = words if self.lost else "no file of its set has this plane; export the set again"
        return Absent(self.path, fault)

    @property
    def note(self) -> str:
        """What is not there, in words; empty if nothing is, or another file says it."""
        if not self.lost or not (self.tells or self.is_renamed):
            return ""
        return f"its OME metadata name files that are not beside it: {names_of(self.lost)}"
