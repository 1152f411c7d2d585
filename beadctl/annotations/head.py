"""An annotation file by its first bytes, from which its format is detected."""

import codecs
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from beadctl.annotations import archive
from beadctl.annotations.document import unreadable
from beadctl.annotations.formats import AnnotationFormat
from beadctl.errors import AnnotationError

HEAD_BYTES = 2**16
TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".json", ".geojson")
TABLE_SUFFIXES = (".csv", ".tsv")
IMAGE_SIGNATURES = (
    b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"RIFF",
    b"\x00\x00\x00\x0cjP", b"\xff\x4f\xff\x51", b"BM",
)  # fmt: skip


@dataclass(frozen=True)
class Head:
    """The beginning of an annotation file.

    Attributes
    ----------
    path : Path
        The file.
    start : bytes
        Its first bytes, at most `HEAD_BYTES`.
    """

    path: Path
    start: bytes

    @classmethod
    def of(cls, path: Path) -> "Head":
        """Read the beginning of the file at `path`; an `AnnotationError` if it cannot be read."""
        try:
            with path.open("rb") as file:
                return cls(path, file.read(HEAD_BYTES))
        except OSError as error:
            raise unreadable(path, error) from None

    @cached_property
    def kind(self) -> Literal["image", "archive", "json", "table", "numbers", "unknown"]:
        """What the file holds; "numbers" is a text whose first line begins with a number, or an empty one."""
        if self.start.startswith(IMAGE_SIGNATURES):
            return "image"
        if self.start.startswith(b"PK\x03\x04"):
            return "archive"
        if self.text is None:
            return "unknown"
        if self.text.startswith(("{", "[")):
            return "json"
        is_table = self.path.suffix.lower() in TABLE_SUFFIXES
        if not self.text:
            return "table" if is_table else "numbers"
        words = self.first_line.replace(",", " ").replace("\t", " ").split()
        if not is_table and words and _is_number(words[0]):
            return "numbers"
        return "table" if any(delimiter in self.first_line for delimiter in ",;\t") else "unknown"

    @cached_property
    def text(self) -> str | None:
        """The beginning as text, without leading white space; None if it is not UTF-8."""
        try:
            # An incremental decoder accepts an incomplete last character.
            return codecs.getincrementaldecoder("utf-8-sig")().decode(self.start).lstrip()
        except UnicodeDecodeError:
            return None

    @property
    def first_line(self) -> str:
        """The first line of `text`; empty if there is none."""
        return self.text.splitlines()[0] if self.text else ""

    @cached_property
    def _members(self) -> tuple[str, ...]:
        return tuple(name.lower() for name in archive.names(self.path)) if self.kind == "archive" else ()

    def holds(self, suffix: str) -> bool:
        """Whether the file is an archive with a member of this suffix, lower case."""
        return any(name.endswith(suffix) for name in self._members)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def detect(head: Head) -> AnnotationFormat:
    """Return the format of a file; `LABELS` for every image, because `formats.auto` looks at the values.

    Raises
    ------
    AnnotationError
        If the file would have to be unpickled, or its format is unknown.
    """
    _refuse_pickles(head)
    for form in AnnotationFormat:
        if form.reader().detects(head):
            return form
    if head.kind == "archive":
        raise AnnotationError(
            f"{head.path}: holds neither ImageJ regions (.roi) nor COCO JSON; unpack it, and give what it"
            " holds"
        )
    if head.text is None and head.path.suffix.lower() in TEXT_SUFFIXES:
        raise AnnotationError(f"{head.path}: is not UTF-8 text; save it as text in UTF-8")
    raise AnnotationError(
        f"{head.path}: is not an annotation that beadctl knows; give label images, masks, COCO, GeoJSON,"
        " ImageJ regions, Cellpose outlines, YOLO, or a CSV of bead centres"
    )


def _refuse_pickles(head: Head) -> None:
    pickled = head.start.startswith(b"\x93NUMPY") or (
        head.start[:1] == b"\x80" and head.start[1:2] in (b"\2", b"\3", b"\4", b"\5")
    )
    if pickled or (head.holds(".npy") and not head.holds(".roi")):
        raise AnnotationError(
            f"{head.path}: NumPy and pickle files may run code when they are read, so they are not opened;"
            " save the masks as TIFF or PNG (Cellpose: --save_tif, or File > Save masks in its window)"
        )
