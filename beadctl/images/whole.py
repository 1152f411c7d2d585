"""Planes of files that can only be decoded as a whole: decoded once, then sliced."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.images.plane import Samples
from beadctl.images.window import Window

Pick = tuple[int | None, ...]
"""A 2-D slice of a series: one index per axis, None for Y and X."""


@dataclass(frozen=True)
class WholeSource:
    """Slices of an array that is decoded at the first read and kept while open.

    Attributes
    ----------
    load : callable
        ``load()`` decodes the array; can be pickled.
    picks : tuple of Pick
        One 2-D slice per stored sample.
    transposed : bool
        Whether X comes before Y in the array.
    """

    load: Callable[[], NDArray[Any]]
    picks: tuple[Pick, ...]
    transposed: bool = False

    @contextlib.contextmanager
    def open(self) -> Iterator[Samples]:
        """Yield the samples; decoding starts at the first read."""
        yield _WholeSamples(self)


class _WholeSamples:
    def __init__(self, source: WholeSource) -> None:
        self._source = source
        self._samples: list[NDArray[Any]] | None = None

    def read(self, window: Window) -> list[NDArray[Any]]:
        if self._samples is None:
            self._samples = self._decoded()
        # Copies, so that a caller cannot change the result of the next read.
        return [sample[window.slices].copy() for sample in self._samples]

    def _decoded(self) -> list[NDArray[Any]]:
        array = self._source.load()
        samples = [array[tuple(slice(None) if i is None else i for i in pick)] for pick in self._source.picks]
        return [np.transpose(s) if self._source.transposed else s for s in samples]
