"""The directories of a TIFF file, one a page, counted before tifffile builds anything of them."""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from beadctl.images.failure import damaged, failures
from beadctl.images.limits import Limits

# Of a directory, as in tifffile.
MOST_TAGS = 4096
# Of the longest description, such as OME-XML, that is parsed.
DESCRIPTION_BYTES = 64 * 2**20
# Tags may refer to the same bytes, as to a colour profile: to so many, beside twice those of the file.
SHARED_BYTES = 16 * 2**20

WIDTH, LENGTH, DESCRIPTION, SUB_DIRECTORIES = 256, 257, 270, 330
UIC1, UIC2, LONG = 33628, 33629, 4
# Width, length, bits, compression, photometric, fill order, samples, planar, predictor, format of samples.
PAGE_TAGS = frozenset({WIDTH, LENGTH, 258, 259, 262, 266, 277, 284, 317, 339})
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8}
TYPE_BYTES |= {18: 8}


@dataclass(frozen=True)
class Directories:
    """The pages of a TIFF file.

    Attributes
    ----------
    pixels : tuple of int
        Width times length of each.
    are_alike : bool
        Whether all are of one size and encoding.
    count, kinds : int
        Their number with that of their sub-directories, and of the sizes and encodings among them.
    """

    pixels: tuple[int, ...] = ()
    are_alike: bool = True
    count: int = 0
    kinds: int = 0


def read_directories(path: Path, limits: Limits) -> Directories:
    """Count the pages of a TIFF file by their directories; a chain that is cut off ends at the cut.

    Raises
    ------
    ImageError
        If pages and sub-directories are more than `limits` allow; or they refer to each other in a circle, or
        their tags to the same bytes again and again.
    """
    with failures(path), path.open("rb") as file:
        layout = _Layout.of(file.read(8), path.name.lower())
        if layout is None:
            raise damaged(path, "no header of a TIFF file")
        return _Walk(path, file, layout, os.fstat(file.fileno()).st_size, limits).directories()


@dataclass(frozen=True)
class _Layout:
    """The structures of a variant of TIFF, and the position of the first offset."""

    number: struct.Struct
    tag: struct.Struct
    offset: struct.Struct
    first: int
    order: str

    @classmethod
    def of(cls, head: bytes, name: str) -> "_Layout | None":
        order = {b"II": "<", b"EP": "<", b"MM": ">"}.get(head[:2])
        if order is None or len(head) < 8:
            return None
        is_big = struct.unpack(f"{order}H", head[2:4])[0] == 43
        # NDPI files are classic ones with long offsets, and known by their names alone.
        is_ndpi = name.endswith(".ndpi") and not name.endswith(".ome.ndpi") and order == "<" and not is_big
        formats = ("Q", "HHQ8s", "Q") if is_big else ("H", "HHI4s", "Q" if is_ndpi else "I")
        number, tag, offset = (struct.Struct(order + form) for form in formats)
        return cls(number, tag, offset, 8 if is_big else 4, order)

    def integers(self, kind: int, data: bytes) -> list[int]:
        size = TYPE_BYTES.get(kind, 0)
        form = {2: "H", 4: "I", 8: "Q"}.get(size)
        return [value for (value,) in struct.iter_unpack(self.order + form, data)] if form else []


# Code, type, count, and value or its offset.
_Tag = tuple[int, int, int, bytes]


@dataclass
class _Walk:
    path: Path
    file: IO[bytes]
    layout: _Layout
    size: int
    limits: Limits
    count: int = 0
    stored: int = 0
    subs: list[int] = field(default_factory=list)
    kinds: set[frozenset[_Tag]] = field(default_factory=set)

    def directories(self) -> Directories:
        pixels: list[int] = []
        for tags in self._chain():
            known = {
                code: self._number(kind, value) for code, kind, _, value in tags if code in (WIDTH, LENGTH)
            }
            pixels.append(known.get(WIDTH, 0) * known.get(LENGTH, 0))
        are_alike = len(self.kinds) <= 1
        self._count_below()
        return Directories(tuple(pixels), are_alike, self.count, len(self.kinds))

    def _chain(self) -> Iterator[list[_Tag]]:
        self.file.seek(self.layout.first)
        position = self._offset(self.file.read(self.layout.offset.size))
        seen: set[int] = set()
        while 0 < position < self.size:
            if position in seen:
                raise damaged(self.path, "its pages refer to each other in a circle")
            seen.add(position)
            tags, position = self._directory(position)
            if tags is None:
                return
            yield tags

    def _count_below(self) -> None:
        """Count the sub-directories of sub-directories; one that has some is met once, or it is a circle."""
        seen: set[int] = set()
        while self.subs:
            position = self.subs.pop()
            before = len(self.subs)
            self._directory(position)
            if len(self.subs) > before:
                if position in seen:
                    raise damaged(self.path, "its sub-directories refer to each other in a circle")
                seen.add(position)

    def _directory(self, position: int) -> tuple[list[_Tag] | None, int]:
        """Return the tags of a directory, None for a damaged one, and the position of the next."""
        layout = self.layout
        self.file.seek(position)
        head = self.file.read(layout.number.size)
        number = layout.number.unpack(head)[0] if len(head) == layout.number.size else MOST_TAGS + 1
        if number > MOST_TAGS:
            return None, 0
        data = self.file.read(number * layout.tag.size + layout.offset.size)
        tags: list[_Tag] = list(
            layout.tag.iter_unpack(data[: len(data) // layout.tag.size * layout.tag.size])
        )
        tags = tags[:number]
        self.count += 1
        self.stored += len(data)
        for code, kind, count, value in tags:
            stored = count * TYPE_BYTES.get(kind, 0)
            if code == SUB_DIRECTORIES:
                self._add_below(kind, count, value)
            # tifffile drops a tag beyond the end of the file.
            if len(value) < stored <= self.size:
                self.stored += stored
                if code == DESCRIPTION and stored > DESCRIPTION_BYTES:
                    raise damaged(self.path, f"a description of {stored:,} bytes")
        self.kinds.add(frozenset(tag for tag in tags if tag[0] in PAGE_TAGS and tag[2] == 1))
        # MetaMorph has UIC1 values of UIC2 planes, which tifffile reads one by one.
        planes = max((count for code, _, count, _ in tags if code == UIC2), default=1)
        self.stored += sum(
            4 * count * planes for code, kind, count, _ in tags if (code, kind) == (UIC1, LONG)
        )
        self.limits.check_planes(self.path, self.count + len(self.subs))
        if self.stored > 2 * self.size + SHARED_BYTES:
            raise damaged(self.path, f"tags of over {self.stored:,} bytes in a file of {self.size:,}")
        return tags, self._offset(data[number * layout.tag.size :])

    def _add_below(self, kind: int, count: int, value: bytes) -> None:
        self.limits.check_planes(self.path, self.count + len(self.subs) + min(count, self.size))
        stored = count * TYPE_BYTES.get(kind, 0)
        if stored > len(value):
            self.file.seek(self._offset(value))
            value = self.file.read(stored)
        if len(value) >= stored:
            self.subs += [at for at in self.layout.integers(kind, value[:stored]) if at >= self.layout.first]

    def _number(self, kind: int, value: bytes) -> int:
        size = TYPE_BYTES.get(kind, 0)
        numbers = self.layout.integers(kind, value[: len(value) // size * size]) if size else []
        return numbers[0] if numbers else 0

    def _offset(self, data: bytes) -> int:
        """Return an offset that ends a directory or stands in a tag; 0 where the file ends before it."""
        size = min(self.layout.offset.size, len(data))
        return (
            int.from_bytes(data[:size], "little" if self.layout.order == "<" else "big") if size >= 4 else 0
        )
