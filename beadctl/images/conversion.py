"""Conversion of the stored samples of a pixel to the one value that is segmented."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LUMINANCE = (0.2126, 0.7152, 0.0722)
"""Weights of red, green and blue (Rec. ITU-R BT.709-6, item 3.2). A gamma, rarely known, is not undone."""


@dataclass(frozen=True)
class Conversion:
    """Rule that converts stored samples to one plane.

    Attributes
    ----------
    description : str
        The rule in words, such as ``luminance of RGB``.
    weights : tuple of float
        Weight of each sample; empty when the single sample is used as stored.
    table : tuple of float
        Luminance of each palette entry; empty without a palette.
    inverted_from : int or None
        Where zero is white, the largest stored value, from which the samples are subtracted; -1 for signed
        values and floats, which are negated. None where zero is black.
    """

    description: str
    weights: tuple[float, ...] = ()
    table: tuple[float, ...] = ()
    inverted_from: int | None = None

    def dtype(self, stored: np.dtype[Any]) -> np.dtype[Any]:
        """Return the dtype of the converted plane, in native byte order, for samples of dtype `stored`."""
        if self.weights or self.table:
            return np.dtype(np.float32)
        return stored.newbyteorder("=")

    def apply(self, samples: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """Return the plane, shape (height, width), in the dtype of `dtype`; luminance is not rounded.

        Parameters
        ----------
        samples : sequence of ndarray, each of shape (height, width)
            One array per weight; a single one when there are no weights.
        """
        first = samples[0]
        if self.table:
            table = np.asarray(self.table, dtype=np.float32)
            return np.asarray(table[np.minimum(first, len(table) - 1)])
        if self.weights:
            total: NDArray[Any] = first.astype(np.float32) * np.float32(self.weights[0])
            for sample, weight in zip(samples[1:], self.weights[1:], strict=True):
                total += sample.astype(np.float32) * np.float32(weight)
            return total
        plane = first.astype(first.dtype.newbyteorder("="), copy=False)
        # Inversion is its own inverse.
        return self.stored(plane)

    def stored(self, plane: NDArray[Any]) -> NDArray[Any]:
        """Return a plane that `apply` has inverted as it is stored, any other one as it is."""
        return plane if self.inverted_from is None else self._inverted(plane)

    def _inverted(self, plane: NDArray[Any]) -> NDArray[Any]:
        match plane.dtype.kind:
            case "u":
                return np.asarray(np.subtract(plane.dtype.type(self.inverted_from), plane))
            case "f":
                return np.asarray(np.negative(plane))
        # Bitwise not: logical not for bool, -1 - x for signed integers; neither overflows.
        return np.asarray(np.invert(plane))
