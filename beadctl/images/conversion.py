"""How the stored samples of a pixel become the one number that is segmented."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LUMINANCE = (0.2126, 0.7152, 0.0722)
"""Weights of red, green and blue (Rec. ITU-R BT.709-6, item 3.2), applied to the stored values."""


@dataclass(frozen=True)
class Conversion:
    """The rule from stored samples to one plane.

    Luminance is the weighted sum of the values **as stored**: no gamma is undone, because a
    camera's gamma is seldom known, and none matters to a threshold on an ordered scale.

    Attributes
    ----------
    words : str
        The rule for people, such as ``luminance of RGB``.
    weights : tuple of float
        Weight of each sample; empty when the one sample is taken as stored.
    table : tuple of float
        Luminance of each palette entry; empty without a palette.
    white_is : int or None
        For images whose zero is white: the value that is black, so that bright looks bright.
        None where zero is black; -1 for signed values and floats, which are negated.
    """

    words: str
    weights: tuple[float, ...] = ()
    table: tuple[float, ...] = ()
    white_is: int | None = None

    def dtype(self, stored: np.dtype[Any]) -> np.dtype[Any]:
        """Return the dtype of the converted plane, in native byte order."""
        if self.weights or self.table:
            return np.dtype(np.float32)
        return stored.newbyteorder("=")

    def apply(self, samples: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """Return the plane.

        Parameters
        ----------
        samples : sequence of ndarray
            One array of the same shape per weight, or a single one.

        Returns
        -------
        ndarray
            Of that shape and of dtype `dtype`; float32, not rounded, for luminance.
        """
        first = samples[0]
        if self.table:
            table = np.asarray(self.table, dtype=np.float32)
            looked_up: NDArray[Any] = table[np.minimum(first, len(table) - 1)]
            return looked_up
        if self.weights:
            total: NDArray[Any] = first.astype(np.float32) * np.float32(self.weights[0])
            for sample, weight in zip(samples[1:], self.weights[1:], strict=True):
                total += sample.astype(np.float32) * np.float32(weight)
            return total
        plane = first.astype(first.dtype.newbyteorder("="), copy=False)
        return plane if self.white_is is None else self._inverted(plane)

    def _inverted(self, plane: NDArray[Any]) -> NDArray[Any]:
        inverted: NDArray[Any]
        match plane.dtype.kind:
            case "u":
                inverted = np.subtract(plane.dtype.type(self.white_is), plane)
            case "f":
                inverted = np.negative(plane)
            case _:
                # ~x is 'not' for bool and -1 - x for signed integers: neither can overflow.
                inverted = np.invert(plane)
        return inverted


def palette_luminance(colours: NDArray[Any]) -> tuple[float, ...]:
    """Return the luminance of each palette entry; `colours` has axes S (3), entry."""
    return tuple(np.asarray(LUMINANCE, dtype=np.float64) @ colours.astype(np.float64))
