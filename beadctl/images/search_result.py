"""What a search for images finds: the images, and what else lies beside them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from beadctl.images import extra
from beadctl.images.companions import named
from beadctl.images.found import Found
from beadctl.words import number_of

IMAGE_SUFFIXES = (
    ".tif", ".tiff", ".btf", ".tf2", ".tf8", ".stk", ".lsm", ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif",
    ".webp", ".jp2", ".j2k", ".jpx", ".bmp",
)  # fmt: skip
"""Suffixes that are searched for in folders, in upper or lower case; with the extra ``formats``, also its."""

OTHER_FORMATS = (
    ".arw", ".avi", ".avif", ".cr2", ".cr3", ".dcm", ".dm3", ".dm4", ".dng", ".dv", ".exr", ".fit", ".fits",
    ".flex", ".fts", ".gel", ".h5", ".heic", ".ims", ".ipl", ".jxl", ".jxr", ".lof", ".m4v", ".mkv", ".mov",
    ".mp4", ".mpg", ".mrc", ".mvd2", ".ndpi", ".nef", ".nii", ".nrrd", ".oib", ".oif", ".oir", ".orf",
    ".pbm", ".pgm", ".pnm", ".ppm", ".psd", ".qptiff", ".r3d", ".raf", ".raw", ".rw2", ".scn", ".sld",
    ".sldy", ".svs", ".tga", ".vsi", ".webm", ".wmv", ".xcf", ".xlef", ".zarr", ".zvi",
)  # fmt: skip
"""Suffixes of pictures and movies that must be exported as OME-TIFF."""

_MOST_KINDS = 12


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
    made : tuple of Path
        Masks and overlays that beadctl wrote, which are left out.
    companions_are : str
        What the companions are, in words.
    again : tuple of Path
        Links, and other paths of files and folders that were found before.
    """

    images: tuple[Found, ...]
    companions: tuple[Path, ...] = ()
    others: Counter[str] = field(default_factory=Counter)
    made: tuple[Path, ...] = ()
    companions_are: str = "masks or overlays of these images"
    again: tuple[Path, ...] = ()

    def notes(self) -> Iterator[tuple[bool, str]]:
        """Yield what is left out, as (is a warning, a line)."""
        if self.companions:
            what = named(self.companions_are, self.companions)
            yield True, f"left out: {what}; to use them, give the files themselves"
        if self.made:
            yield False, self.left_out()
        if self.again:
            yield True, f"left out: {named('links to what is found by another name', self.again)}"
        for line in self.unread():
            yield True, line
        if rest := _kinds(self.others, known=False):
            yield False, f"left out, no images: {rest}"

    def left_out(self) -> str:
        """Return a line on the results of beadctl."""
        what = named("results of beadctl", self.made)
        return f"left out: {what}; to use them, give the files or their folder"

    def unread(self) -> list[str]:
        """Return lines on pictures in formats that are not read, with what to do."""
        lines = [
            f"{number_of(count, f'{extra.kind(suffix)} file')} not read: {extra.REMEDY}"
            for suffix, count in sorted(self.others.items())
            if suffix in extra.PACKAGES
        ]
        kinds = _kinds(self.others, known=True)
        return [*lines, f"not read: {kinds}; export them as OME-TIFF"] if kinds else lines


def _kinds(others: Counter[str], *, known: bool) -> str:
    """Return the number of files of each kind, of those in `OTHER_FORMATS` or of those that are no images."""
    kinds = [
        (suffix, count)
        for suffix, count in sorted(others.items())
        if (suffix in OTHER_FORMATS) == known and suffix not in extra.PACKAGES
    ]
    shown = ", ".join(f"{count} {suffix}" for suffix, count in kinds[:_MOST_KINDS])
    return f"{shown}, ..." if len(kinds) > _MOST_KINDS else shown
