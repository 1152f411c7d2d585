"""Series of frames that a format's reader decodes one by one: an array of leading axes, Y, X and samples."""

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from beadctl.errors import ImageError
from beadctl.images.decoded_size import check_decoded_size
from beadctl.images.failure import damaged
from beadctl.images.plane import PlaneSource, Samples
from beadctl.images.series import Series, SeriesFacts, chosen_series
from beadctl.images.whole import Pick, WholeSource
from beadctl.images.window import Window


class FrameReader(Protocol):
    """An open file."""

    def box(self, frame: int, window: Window) -> NDArray[Any]:
        """Return a window of a frame, axes Y, X, sample."""


class FrameFile(Protocol):
    """A file whose frames can be read; can be pickled."""

    def open(self) -> AbstractContextManager[FrameReader]:
        """Open the file."""


@dataclass(frozen=True)
class Frames:
    """The frames of a series, numbered in the order of its leading axes.

    Attributes
    ----------
    file : FrameFile
        The file.
    lead : tuple of int
        Lengths of the axes before Y and X.
    height, width, samples : int
        Size of a frame, px, and samples of a pixel; the last axis of the series is S where there are several.
    missing : frozenset of int
        Frames that are not in the file.
    """

    file: FrameFile
    lead: tuple[int, ...]
    height: int
    width: int
    samples: int = 1
    missing: frozenset[int] = frozenset()

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of all axes."""
        return *self.lead, self.height, self.width, *((self.samples,) if self.samples > 1 else ())

    def check(self, path: Path, dtype: np.dtype[Any], stored_bytes: int) -> None:
        """Refuse a frame without pixels, or one that is implausibly large: see `check_decoded_size`."""
        if min(self.height, self.width) < 1:
            raise damaged(path, "the image has no pixels")
        check_decoded_size(path, self.height * self.width * self.samples * dtype.itemsize, stored_bytes)

    def locate(self, picks: tuple[Pick, ...], transposed: bool) -> PlaneSource | None:
        """Return the source of a plane: see `Series.locate`."""
        split = len(self.lead)
        if any(pick[split : split + 2] != (None, None) for pick in picks):
            return WholeSource(self._load, picks, transposed)
        frames = []
        for pick in picks:
            number = 0
            for index, length in zip(pick, self.lead, strict=False):
                number = number * length + (index or 0)
            frames.append((number, (pick[split + 2] or 0) if len(pick) > split + 2 else 0))
        if any(number in self.missing for number, _ in frames):
            return None
        return _FrameSource(self.file, tuple(frames), transposed)

    def _load(self) -> NDArray[Any]:
        """Read all frames, because the planes that the user asked for cross them."""
        whole = Window(0, 0, self.height, self.width)
        with self.file.open() as reader:
            frames = [reader.box(number, whole) for number in range(math.prod(self.lead))]
        return np.stack(frames).reshape(self.shape)


def named(
    path: Path, describe: Callable[[int], Series], facts: Sequence[SeriesFacts], number: int | None
) -> list[Series]:
    """Return the series to read, described by number, with their numbers as names where needed."""
    chosen = chosen_series(path, facts, number)
    if not chosen:
        raise ImageError(f"{path}: holds no image of grey values or colours; export one as OME-TIFF")
    name = "series={}" if len(chosen) > 1 or number is not None else ""
    return [replace(describe(i), name=name.format(i)) for i in chosen]


def letters(names: Iterable[str]) -> list[str]:
    """Return a letter for each axis: its name, if that is an ASCII letter and not yet used."""
    used: list[str] = []
    for name in names:
        is_free = len(name) == 1 and name.isascii() and name.isalpha() and name not in (*used, *"YXS")
        used.append(name if is_free else next(a for a in "LEIQJKNOPRUVWABDFGHM" if a not in used))
    return used


@dataclass(frozen=True)
class _FrameSource:
    """A plane: the frame and the sample of each of its stored samples."""

    file: FrameFile
    frames: tuple[tuple[int, int], ...]
    transposed: bool

    @contextlib.contextmanager
    def open(self) -> Iterator[Samples]:
        """Open the file."""
        with self.file.open() as reader:
            yield _FrameSamples(self, reader)


@dataclass(frozen=True)
class _FrameSamples:
    source: _FrameSource
    reader: FrameReader

    def read(self, window: Window) -> list[NDArray[Any]]:
        stored = window.transposed if self.source.transposed else window
        boxes = {number: self.reader.box(number, stored) for number, _ in self.source.frames}
        samples = [boxes[number][..., sample] for number, sample in self.source.frames]
        # Copies in native byte order, so that a caller cannot change what is kept.
        return [np.array(s.T if self.source.transposed else s, s.dtype.newbyteorder("=")) for s in samples]
