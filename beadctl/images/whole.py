"""Planes of files that can only be decoded as a whole: decoded once, then sliced."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
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
        yield _WholeSamples(cache(self._decoded))

    def _decoded(self) -> list[NDArray[Any]]:
        array = self.load()
        samples = [array[tuple(slice(None) if i is None else i for i in pick)] for pick in self.picks]
        return [np.transpose(sample) if self.transposed else sample for sample in samples]


@dataclass(frozen=True)
class _WholeSamples:
    decoded: Callable[[], list[NDArray[Any]]]

    def read(self, window: Window) -> list[NDArray[Any]]:
        # Copies, so that a caller cannot change the result of the next read.
        return [sample[window.slices].copy() for sample in self.decoded()]
